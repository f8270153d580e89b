import { z } from "zod";
import { COMMAND_FORMAT_VERSION } from "./command.ts";

/** Ids become segments of keys: no slash, nothing outside ASCII. */
export const id = z.string().regex(/^[A-Za-z0-9._~:-]{1,128}$/);
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
export const wholeNumber = z.number().int().nonnegative();

/** What every command has, whatever its kind. */
export const head = {
  format: z.literal(COMMAND_FORMAT_VERSION),
  tenant: id,
  actor: z
    .object({ type: z.enum(["user", "token", "system"]), id: z.string().max(256), name: z.string().max(256) })
    .strict(),
  ip: z.string().max(64),
  trace_id: z.string().regex(/^[0-9a-f]{32}$/),
  idempotency: z
    .object({ scope: id, digest: z.string().min(1).max(128) })
    .strict()
    .nullable(),
  expected_revision: z.number().int().nonnegative().nullable(),
  break_glass: z.string().max(2048).optional(),
};
