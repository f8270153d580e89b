import { ETAG_CHARACTERS_MAX } from "../limits.ts";
import { z } from "zod";
import { BATCH_ITEMS_MAX, RULES_MAX } from "../../domain/limits.ts";
import { contentFields, configHead, schemaField, versionWrittenHead } from "./config-schemas.ts";
import { descriptionSchema, indexSchema, versionIdSchema } from "./fields.ts";
import { releaseRuleInput } from "./release-schemas.ts";

const newOrVersion = z
  .union([versionIdSchema, z.literal("new")], { error: 'the number of a version, or "new"' })
  .meta({ description: '"new": the version that the item makes of its content' });
const batchItem = z
  .strictObject({
    config_id: z.string().min(1).max(128),
    if_match: z
      .string()
      .max(ETAG_CHARACTERS_MAX)
      .regex(/^"\d{1,15}"$/, "an ETag of the config, with its quotes")
      .optional()
      .meta({ description: "The ETag that the config must have" }),
    ...contentFields,
    schema: schemaField,
    description: descriptionSchema.default(""),
    releases: z
      .array(releaseRuleInput.extend({ version_id: newOrVersion }).meta({ id: "BatchReleaseRuleInput" }))
      .max(RULES_MAX)
      .optional()
      .meta({ description: "The whole list of rules" }),
    default_version_id: newOrVersion
      .optional()
      .meta({ description: "Instead of releases: the default rule points there, as with a rollback" }),
  })
  .refine((item) => item.content === undefined || item.content_base64 === undefined, {
    message: "give at most one of content and content_base64",
    path: ["content"],
  })
  .refine((item) => (item.releases === undefined) !== (item.default_version_id === undefined), {
    message: "give exactly one of releases and default_version_id",
    path: ["releases"],
  })
  .meta({ id: "BatchItem" });

export const batchRequest = z
  .strictObject({ items: z.array(batchItem).min(1).max(BATCH_ITEMS_MAX) })
  .meta({ id: "BatchRequest" });

export const batchWritten = z
  .object({
    items: z.array(
      configHead.extend({
        version: versionWrittenHead.nullable().meta({ description: "The new version; null: none was made" }),
        warnings: z.array(z.string()),
      }),
    ),
    index: indexSchema,
  })
  .meta({ id: "BatchWritten" });
