import { z } from "zod";
import { CONFIG_FORMATS } from "../../domain/config/config.ts";
import { CHANGE_COMMENT_CHARACTERS_MAX } from "../../domain/limits.ts";
import { isConfigName, NAME_CHARACTERS_MAX, NAME_RULE } from "../../domain/config/config-name.ts";
import {
  DESCRIPTION_BYTES_MAX,
  IDEMPOTENCY_KEY_BYTES_MAX,
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
} from "../limits.ts";
import { wholeNumber } from "../whole-number.ts";

const VERSION_DIGITS_MAX = 15;
const utf8Bytes = (text: string): number => new TextEncoder().encode(text).byteLength;

export const nameSchema = z
  .string()
  .max(NAME_CHARACTERS_MAX, { error: NAME_RULE, abort: true })
  .refine(isConfigName, NAME_RULE)
  .meta({ description: NAME_RULE, example: "shop" });
export const formatSchema = z.enum(CONFIG_FORMATS);
/** Text of several lines: no other control characters. */
const DESCRIPTION_CHARACTERS = /^[\P{Cc}\t\n\r]*$/u;
export const descriptionSchema = z
  .string()
  .max(DESCRIPTION_BYTES_MAX, { error: `at most ${DESCRIPTION_BYTES_MAX} bytes`, abort: true })
  .regex(DESCRIPTION_CHARACTERS, "must have no control characters but tabs and line breaks")
  .refine((text) => utf8Bytes(text) <= DESCRIPTION_BYTES_MAX, `at most ${DESCRIPTION_BYTES_MAX} bytes`);
export const versionIdSchema = z.int().positive();
export const timeSchema = z.iso.datetime().meta({ description: "RFC 3339, UTC" });
export const contentHashSchema = z
  .string()
  .meta({ description: "sha256:<hex of the content>; of an encrypted one, of iv, ciphertext and tag" });
export const indexSchema = z
  .string()
  .meta({ description: "Signed log position <cluster>.<epoch>.<n>.<signature>, for X-Conflux-Min-Index" });
export const etagSchema = z
  .string()
  .meta({ description: "The resource's ETag, quotes included, for If-Match" });
export const jsonObjectSchema = z.record(z.string(), z.unknown());

export const idParams = z.object({
  id: z.string().min(1).max(128).meta({ description: "Id of the config" }),
});
/** A version's number in a path or a query. */
export const versionNumberSchema = z
  .string()
  .max(VERSION_DIGITS_MAX, { error: "expected a version number", abort: true })
  .regex(/^[1-9]\d{0,14}$/, "expected a version number")
  .transform(Number)
  .pipe(versionIdSchema);
export const versionParams = idParams.extend({ version: versionNumberSchema });

export const consistencySchema = z
  .enum(["stale", "leader", "linearizable"])
  .default("leader")
  .meta({ description: "How fresh a read must be" });
export const readQuery = z.strictObject({ consistency: consistencySchema });
/** The query of a list; each list says what its cursors are (`listCursor`). */
export const listQuery = readQuery.extend({
  limit: wholeNumber(1, LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT),
});

const idempotencyKey = z
  .string()
  .min(1)
  .max(IDEMPOTENCY_KEY_BYTES_MAX, { error: `at most ${IDEMPOTENCY_KEY_BYTES_MAX} bytes`, abort: true })
  .refine((key) => utf8Bytes(key) <= IDEMPOTENCY_KEY_BYTES_MAX, `at most ${IDEMPOTENCY_KEY_BYTES_MAX} bytes`)
  .optional()
  .meta({ description: "The same key, query and body within 24 h answer the first result again" });
/** Headers of a write that makes something new. */
export const createHeaders = z.object({ "x-idempotency-key": idempotencyKey });
/** Headers of a write to something that exists. */
export const updateHeaders = createHeaders.extend({
  "if-match": z
    .string()
    .max(1024)
    .optional()
    .meta({ description: "ETag of a GET, or *; a stale one is 412" }),
});

/** The header that passes a freeze window. */
export const BREAK_GLASS_HEADER = "x-conflux-break-glass";
const breakGlass = z
  .string()
  .max(CHANGE_COMMENT_CHARACTERS_MAX)
  .regex(/\S/, `a reason of 1 to ${CHANGE_COMMENT_CHARACTERS_MAX} characters`)
  .optional()
  .meta({ description: "Why the change must pass a freeze window; needs the permission approve" });
/** Headers of a write that changes what clients get. */
export const changeHeaders = updateHeaders.extend({ [BREAK_GLASS_HEADER]: breakGlass });
export const createChangeHeaders = createHeaders.extend({ [BREAK_GLASS_HEADER]: breakGlass });
