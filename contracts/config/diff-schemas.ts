import { z } from "zod";
import {
  contentHashSchema,
  formatSchema,
  readQuery,
  versionIdSchema,
  versionNumberSchema,
} from "./fields.ts";

export const diffQuery = readQuery.extend({
  from: versionNumberSchema.meta({ description: "The version that is changed" }),
  to: versionNumberSchema.meta({ description: "The version that it is changed into" }),
});

const omission = z.object({
  reason: z.enum(["binary", "encrypted", "too_large", "unstructured"]),
  detail: z.string(),
});
export type DiffOmission = z.infer<typeof omission>;

const side = z.object({
  version_id: versionIdSchema,
  format: formatSchema,
  content_hash: contentHashSchema,
  content_bytes: z.int(),
});

const patchOperation = z.union([
  z.object({ op: z.enum(["add", "replace"]), path: z.string(), value: z.unknown() }),
  z.object({ op: z.literal("remove"), path: z.string() }),
]);

/** How two versions differ (C9). */
export const versionDiff = z
  .object({
    config_id: z.string(),
    from: side,
    to: side,
    unified: z
      .string()
      .nullable()
      .meta({ description: "Unified diff of the texts; empty when they are equal" }),
    unified_omitted: omission.nullable().meta({ description: "Why there is no unified diff" }),
    json_patch: z
      .array(patchOperation)
      .nullable()
      .meta({ description: "JSON Patch (RFC 6902) between the JSON values of the two" }),
    json_patch_omitted: omission.nullable().meta({ description: "Why there is no JSON Patch" }),
  })
  .meta({ id: "VersionDiff" });
