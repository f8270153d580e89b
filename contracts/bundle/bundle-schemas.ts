import { DIGEST_CHARACTERS } from "../limits.ts";
import { z } from "zod";
import { BUNDLE_ACTIONS, BUNDLE_FIELDS, OWN_CONTENT } from "../../domain/bundle/bundle.ts";
import { BUNDLE_CONFIGS_MAX, BUNDLE_VERSIONS_MAX, RULES_MAX } from "../../domain/limits.ts";
import { contentFields, retentionSchema, schemaField } from "../config/config-schemas.ts";
import {
  descriptionSchema,
  indexSchema,
  nameSchema,
  versionIdSchema,
  formatSchema,
} from "../config/fields.ts";
import { releaseRuleInput } from "../config/release-schemas.ts";

const contents = {
  ...contentFields,
  content_hash: z
    .string()
    .max("sha256:".length + DIGEST_CHARACTERS)
    .regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hex digits")
    .optional()
    .meta({
      description: "Instead of content: a version that is there and stays, as of an encrypted config",
    }),
};
type Contents = { [K in keyof typeof contents]?: string | undefined };
function oneContent({ content, content_base64, content_hash }: Contents): boolean {
  return [content, content_base64, content_hash].filter((given) => given !== undefined).length === 1;
}
const oneContentError = {
  message: "give exactly one of content, content_base64 and content_hash",
  path: ["content"],
};

const ruleInput = releaseRuleInput
  .omit({ version_id: true })
  .extend({
    version: z
      .union([nameSchema, versionIdSchema], { error: "a name of a content, or a version number" })
      .meta({
        description: `"${OWN_CONTENT}": the content of this entry; a name of versions; or the number of a version that is there`,
      }),
  })
  .meta({ id: "BundleRuleInput" });

const versionInput = z
  .strictObject({ name: nameSchema, format: formatSchema.optional(), ...contents })
  .refine(oneContent, oneContentError)
  .meta({ id: "BundleVersionInput" });

const configInput = z
  .strictObject({
    app: nameSchema.optional(),
    env: nameSchema.optional(),
    name: nameSchema,
    format: formatSchema,
    ...contents,
    schema: schemaField.nullable(),
    description: descriptionSchema.default(""),
    retention: retentionSchema.nullable().default(null),
    versions: z
      .array(versionInput)
      .max(BUNDLE_VERSIONS_MAX)
      .default([])
      .meta({ description: "Contents beside the entry's own, for rules that name them" }),
    releases: z
      .array(ruleInput)
      .max(RULES_MAX)
      .optional()
      .meta({ description: "Left out: the config's rules are none of the bundle's business" }),
  })
  .refine(oneContent, oneContentError)
  .meta({ id: "BundleConfigInput" });

const bundleHead = z.strictObject({
  id: nameSchema.meta({ description: "Who owns the configs; only what it owns is touched" }),
  tenant: nameSchema,
  app: nameSchema.optional().meta({ description: "Of entries that name none" }),
  env: nameSchema.optional().meta({ description: "Of entries that name none" }),
});

export const bundleDocument = z
  .strictObject({ bundle: bundleHead, configs: z.array(configInput).max(BUNDLE_CONFIGS_MAX) })
  .meta({ id: "Bundle" });
export type BundleDocument = z.output<typeof bundleDocument>;
export type BundleEntry = BundleDocument["configs"][number];

export const exportQuery = z.strictObject({
  tenant: nameSchema,
  app: nameSchema.optional(),
  env: nameSchema.optional(),
  bundle: nameSchema
    .optional()
    .meta({ description: "Id to write into the bundle; left out: made of the names" }),
});

const flag = z.enum(["true", "false"]).default("false");
export const applyQuery = z.strictObject({
  dry_run: flag.meta({ description: "true: answer the plan and write nothing" }),
  prune: flag.meta({ description: "true: delete configs that the bundle owns and no longer has" }),
  adopt: flag.meta({ description: "true: take over configs that the bundle does not own" }),
  force: flag.meta({ description: "true: overwrite what was changed by hand" }),
  abort_plan: flag.meta({ description: "true: end running publish plans" }),
  if_plan: z
    .string()
    .max(DIGEST_CHARACTERS)
    .regex(/^[0-9a-f]{64}$/, "the digest of a plan")
    .optional()
    .meta({ description: "The digest of the plan that was looked at; 412 when it is another one now" }),
});

const planItem = z
  .object({
    path: z.string().nullable().meta({ description: "In the bundle; null: no longer in it" }),
    app: z.string(),
    env: z.string(),
    name: z.string(),
    config_id: z.string().nullable(),
    action: z
      .enum(BUNDLE_ACTIONS)
      .meta({ description: "orphan: owned, no longer in the bundle, and not pruned" }),
    changes: z.array(z.enum([...BUNDLE_FIELDS, "owner"])),
    drift: z.array(z.enum(BUNDLE_FIELDS)).meta({ description: "Changed by hand since the last apply" }),
    blocked: z.object({ code: z.enum(["conflict", "publish_running"]), reason: z.string() }).nullable(),
  })
  .meta({ id: "BundlePlanItem" });

export const bundleApplied = z
  .object({
    bundle_id: z.string(),
    dry_run: z.boolean(),
    plan: z.string().meta({ description: "The plan's digest, for if_plan" }),
    has_changes: z.boolean(),
    items: z.array(planItem),
    warnings: z.array(z.string()),
    blocked: z
      .array(z.object({ code: z.enum(["approval_required", "change_frozen"]), reason: z.string() }))
      .default([])
      .meta({
        description:
          "Of a dry run: what the rules of changes hold against the whole, as an apply would be refused for it now",
      }),
    index: indexSchema.nullable().meta({ description: "Of the write; null for a dry run" }),
  })
  .meta({ id: "BundleApplied" });
export type BundleApplied = z.output<typeof bundleApplied>;
