import { z } from "zod";
import { isConfigPlace, isVersionPlace, listCursor } from "../list-cursor.ts";
import { CONTENT_BYTES_MAX, SCHEMA_BYTES_MAX } from "../limits.ts";
import { LONE_SURROGATE_MESSAGE } from "../problem/lone-surrogates.ts";
import {
  contentHashSchema,
  descriptionSchema,
  etagSchema,
  formatSchema,
  indexSchema,
  jsonObjectSchema,
  listQuery,
  nameSchema,
  timeSchema,
  versionIdSchema,
} from "./fields.ts";
import { releaseRulesInput, releaseRuleView } from "./release-schemas.ts";

/** The two ways to give content; a body takes one of them. What is too long is 413, so the handler says it. */
export const contentFields = {
  content: z
    .string()
    .refine((text) => text.isWellFormed(), LONE_SURROGATE_MESSAGE)
    .optional()
    .meta({ description: "The content as text; it is stored as UTF-8", maxLength: CONTENT_BYTES_MAX }),
  content_base64: z
    .base64()
    .optional()
    .meta({
      description: "The content's bytes, instead of content",
      maxLength: 4 * Math.ceil(CONTENT_BYTES_MAX / 3),
    }),
};
export const schemaField = z
  .union([jsonObjectSchema, z.string().meta({ maxLength: SCHEMA_BYTES_MAX })], {
    error: "a JSON Schema as an object or as JSON text",
  })
  .optional()
  .meta({ description: "JSON Schema: draft 4, 6, 7, 2019-09 or 2020-12" });
export const retentionSchema = z
  .strictObject({ count: z.int().positive().optional(), days: z.int().positive().optional() })
  .meta({
    description:
      "The newest versions that are kept, and days that one is kept after it was replaced; one past every limit is archived and removed",
  });

/** Exactly one of the two ways to give content. */
function oneContent(body: { content?: string | undefined; content_base64?: string | undefined }): boolean {
  return (body.content === undefined) !== (body.content_base64 === undefined);
}
const oneContentError = { message: "give exactly one of content and content_base64", path: ["content"] };

export const createConfigRequest = z
  .strictObject({
    tenant: nameSchema,
    app: nameSchema,
    env: nameSchema,
    name: nameSchema,
    format: formatSchema,
    ...contentFields,
    schema: schemaField,
    description: descriptionSchema.default(""),
    encrypt: z.boolean().default(false).meta({
      description: "Contents are encrypted under the application's KMS key, for ever; clients get envelopes",
    }),
    retention: retentionSchema.optional(),
    release: z.literal(true).optional().meta({ description: "Makes version 1 the default rule" }),
    releases: releaseRulesInput.optional(),
  })
  .refine(oneContent, oneContentError)
  .refine((body) => body.release === undefined || body.releases === undefined, {
    message: "give at most one of release and releases",
    path: ["release"],
  })
  .meta({ id: "CreateConfigRequest" });

export const createVersionRequest = z
  .strictObject({
    ...contentFields,
    description: descriptionSchema.default(""),
    schema: schemaField,
    format: formatSchema.optional(),
  })
  .refine(oneContent, oneContentError)
  .meta({ id: "CreateVersionRequest" });

export const namespaceSchema = z.object({ tenant: z.string(), app: z.string(), env: z.string() });

export const configHead = z.object({
  id: z.string(),
  namespace: namespaceSchema,
  name: z.string(),
  format: formatSchema,
  latest_version_id: versionIdSchema,
  releases: z.array(releaseRuleView),
  encrypted: z.boolean(),
  etag: etagSchema,
  description: z.string(),
  retention: retentionSchema.nullable(),
  created_at: timeSchema,
  updated_at: timeSchema,
});
/** A config in a list. */
export const configSummary = configHead.meta({ id: "ConfigSummary" });
export const configView = configHead.extend({ schema: z.unknown() }).meta({ id: "Config" });
/** What a write to a config answers. */
export const configWritten = configHead.extend({ index: indexSchema }).meta({ id: "ConfigWritten" });
/** Of a write that sets rules. */
export const configReleased = configWritten
  .extend({
    warnings: z
      .array(z.string())
      .meta({ description: "Release rules that can never match, and regions that are not known" }),
  })
  .meta({ id: "ConfigReleased" });
export const configDeleted = z.object({ id: z.string(), index: indexSchema }).meta({ id: "ConfigDeleted" });

export const versionWrittenHead = z.object({
  config_id: z.string(),
  version_id: versionIdSchema,
  content_hash: contentHashSchema,
  content_bytes: z.int().meta({ description: "Of an encrypted version: of its envelope" }),
  format: formatSchema,
  encrypted: z.boolean(),
  key_id: z
    .string()
    .nullable()
    .meta({ description: "The KMS key that wraps an encrypted version's data key" }),
  description: z.string(),
  creator: z.string(),
  created_at: timeSchema,
});
const versionStatus = z.string().meta({
  description:
    "full: the default rule names it; stage1 to stageN, paused: a plan brings it; released: other rules name it; deprecated: it was full by a plan, and is no more; draft: none of that",
});
export const versionSummary = versionWrittenHead
  .extend({ status: versionStatus })
  .meta({ id: "VersionSummary" });
export const versionView = versionWrittenHead
  .extend({ status: versionStatus, schema: z.unknown() })
  .meta({ id: "Version" });
export const versionWritten = versionWrittenHead
  .extend({ etag: etagSchema, index: indexSchema })
  .meta({ id: "VersionWritten" });

export const listVersionsQuery = listQuery.extend({ cursor: listCursor(isVersionPlace) });
export const listConfigsQuery = listQuery.extend({
  cursor: listCursor(isConfigPlace),
  tenant: nameSchema,
  app: nameSchema.optional(),
  env: nameSchema.optional(),
  name_prefix: z.string().min(1).max(128).optional(),
});

/** A page of a list. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() });
}
