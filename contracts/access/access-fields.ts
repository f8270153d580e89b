import { z } from "zod";
import { NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE } from "./auth-api.ts";

/** Names of roles and groups: text for people, unlike the names of tenants and applications. */
export const ROLE_NAME_CHARACTERS_MAX = 128;
const ID_CHARACTERS_MAX = 200;

/** Ids of roles, groups, users and applications, and cursors: opaque. */
export const idText = z
  .string()
  .min(1)
  .max(ID_CHARACTERS_MAX)
  .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE);
export const idPath = z.object({ id: idText });
export const roleName = z
  .string()
  .trim()
  .min(1)
  .max(ROLE_NAME_CHARACTERS_MAX)
  .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE);

/** What was deleted, or taken out of a list. */
export const removed = z.object({ id: z.string() }).meta({ id: "Removed" });

/** A page of `item`. */
export function pageOf<S extends z.ZodType>(item: S) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() });
}
