import { z } from "zod";
import { CONFIG_FORMATS } from "../config/config.ts";
import { KMS_KEY_ID } from "../encryption/envelope-text.ts";
import { CONDITION_OPS } from "../release-rule/release-rule.ts";
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

export const versionId = z.number().int().positive();
export const keyId = z.string().regex(KMS_KEY_ID);
const sealed = z.object({ key_id: keyId, content_sha256: sha256 }).strict();
export const content = z
  .object({ attachment: z.number().int().nonnegative(), sha256, sealed: sealed.optional() })
  .strict();
function isRecordOfStrings(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((v) => typeof v === "string")
  );
}
// Not z.record: it loses a member called __proto__, and with it what the rule asks for.
export const labels = z.custom<Record<string, string>>(isRecordOfStrings, "a record of strings");
export const percentage = z
  .object({ by: z.string(), percent: z.number(), salt: z.string().optional() })
  .strict()
  .optional();
export const rule = z
  .object({
    labels,
    version_id: versionId,
    priority: z.number().int(),
    when: z
      .array(z.object({ label: z.string(), op: z.enum(CONDITION_OPS), values: z.array(z.string()) }).strict())
      .optional(),
    percentage,
    edge: z
      .object({ regions: z.array(z.string()) })
      .strict()
      .optional(),
  })
  .strict();
export const retention = z
  .object({ count: z.number().int().positive().optional(), days: z.number().int().positive().optional() })
  .strict();
export const format = z.enum(CONFIG_FORMATS);
