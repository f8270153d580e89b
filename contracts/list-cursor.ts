import { z } from "zod";
import { isConfigName } from "../domain/config/config-name.ts";
import { tenantOfId } from "../domain/access/tenant-scoped-id.ts";

/** No place in any list is longer: three names with their slashes have 386. */
const CURSOR_CHARACTERS_MAX = 512;

/**
 * The query's `cursor` of a list whose pages end with what `isPlace` knows. Anything else is `validation_failed` at
 * `/query/cursor`, for a reader that began at a random place would take a part for the whole. A place that has gone since
 * is none the less a place.
 */
export function listCursor(isPlace: (cursor: string) => boolean) {
  return z
    .string()
    .min(1)
    .max(CURSOR_CHARACTERS_MAX, { error: `at most ${CURSOR_CHARACTERS_MAX} characters`, abort: true })
    .refine(isPlace, "the next_cursor of the page before")
    .optional()
    .meta({ description: "The next_cursor of the page before" });
}

/** `app/env/name`: lists of configs. */
export function isConfigPlace(cursor: string): boolean {
  const names = cursor.split("/");
  return names.length === 3 && names.every(isConfigName);
}

/** Lists of versions. */
export const isVersionPlace = (cursor: string): boolean => /^[1-9]\d{0,14}$/.test(cursor);

/** Places in the log, as keys of the state have them: lists of publishes and change requests. */
export const isLogPlace = (cursor: string): boolean => /^\d{16}$/.test(cursor);

/** Lists of roles, groups and client tokens. */
export const isTenantScopedPlace = (cursor: string): boolean => tenantOfId(cursor) !== null;

/** Lists of users. */
export const isUserPlace = (cursor: string): boolean => /^usr_[0-9A-Za-z_-]{1,64}$/.test(cursor);
