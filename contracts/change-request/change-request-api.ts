import { isLogPlace, listCursor } from "../list-cursor.ts";
import { DIGEST_CHARACTERS } from "../limits.ts";
import { z } from "zod";
import { applyQuery, bundleDocument } from "../bundle/bundle-schemas.ts";
import { batchRequest } from "../config/batch-schemas.ts";
import { createVersionRequest, namespaceSchema } from "../config/config-schemas.ts";
import {
  descriptionSchema,
  etagSchema,
  indexSchema,
  listQuery,
  nameSchema,
  readQuery,
  timeSchema,
  versionIdSchema,
} from "../config/fields.ts";
import { releaseRulesInput, releaseRuleView } from "../config/release-schemas.ts";
import { publishRequest } from "../publish/publish-schemas.ts";
import { BUNDLE_ACTIONS, BUNDLE_FIELDS } from "../../domain/bundle/bundle.ts";
import { CHANGE_REQUEST_STATES } from "../../domain/change-request/change-transitions.ts";
import { CHANGE_COMMENT_CHARACTERS_MAX } from "../../domain/limits.ts";

/** What can be asked for, in the words of the API. */
const CHANGE_TYPES = ["releases", "rollback", "publish", "version", "delete", "batch", "apply"] as const;
const abortPlan = z.boolean().default(false).meta({ description: "End a running publish plan with it" });
const flag = z.boolean().default(false);
const { if_plan } = applyQuery.shape;
/** The query of `POST /mgt/apply`. */
const applyFlags = { prune: flag, adopt: flag, force: flag, abort_plan: abortPlan, if_plan };
/** What can be asked for: the bodies of the routes that do it at once. */
const operation = z
  .discriminatedUnion(
    "type",
    [
      z.strictObject({ type: z.literal("releases"), releases: releaseRulesInput, abort_plan: abortPlan }),
      z.strictObject({ type: z.literal("rollback"), version_id: versionIdSchema, abort_plan: abortPlan }),
      z.strictObject({ type: z.literal("publish"), publish: publishRequest }),
      z.strictObject({ type: z.literal("version"), version: createVersionRequest }),
      z.strictObject({ type: z.literal("delete") }),
      z.strictObject({ type: z.literal("batch"), batch: batchRequest, abort_plan: abortPlan }),
      z.strictObject({ type: z.literal("apply"), apply: bundleDocument, ...applyFlags }),
    ],
    { error: `an object with one of the types ${CHANGE_TYPES.join(", ")}` },
  )
  .meta({ id: "ChangeOperation" });
const fields = { operation, description: descriptionSchema.default("") };

export const changeRequestRequest = z
  .strictObject({
    config_id: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .meta({ description: "Left out for batch and apply, which say themselves which configs they are of" }),
    ...fields,
  })
  .refine((body) => (body.config_id === undefined) === isOfSeveral(body.operation), {
    message: "give it for an operation of one config; batch and apply name their configs themselves",
    path: ["config_id"],
  })
  .meta({ id: "ChangeRequestRequest" });
export const changeRequestEdit = z.strictObject(fields).meta({ id: "ChangeRequestEdit" });

type OperationBody = z.output<typeof operation>;
export type OperationOfSeveralBody = Extract<OperationBody, { type: "batch" | "apply" }>;
export type OperationOfOneBody = Exclude<OperationBody, OperationOfSeveralBody>;
export function isOfSeveral(body: OperationBody): body is OperationOfSeveralBody {
  return body.type === "batch" || body.type === "apply";
}

const comment = z.string().max(CHANGE_COMMENT_CHARACTERS_MAX).default("");
const digest = z
  .string()
  .max(DIGEST_CHARACTERS)
  .regex(/^[0-9a-f]{64}$/, "the digest of the change request")
  .meta({ description: "SHA-256 of what is asked for, as the request shows it" });
export const changeApproval = z.strictObject({ digest, comment }).meta({ id: "ChangeApproval" });
export const changeExecution = z.strictObject({ digest }).meta({ id: "ChangeExecution" });
/** The body of a rejection or withdrawal, which may be left out. */
export const changeComment = z.strictObject({ comment }).meta({ id: "ChangeComment" });

export const changeRequestParams = z.object({
  crid: z.string().min(1).max(128).meta({ description: "Id of the change request" }),
});
export const changeRequestQuery = listQuery.extend({
  cursor: listCursor(isLogPlace),
  tenant: nameSchema,
  app: nameSchema.optional(),
  env: nameSchema.optional(),
  config_id: z.string().min(1).max(128).optional(),
  status: z.enum(CHANGE_REQUEST_STATES).optional(),
});

/** `content_hash`: one of several contents, as the request shows it. */
export const changeContentQuery = readQuery.extend({
  content_hash: z
    .string()
    .max("sha256:".length + DIGEST_CHARACTERS)
    .regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hex digits")
    .optional()
    .meta({ description: "Which of its contents; may be left out where there is one alone" }),
});

const person = z.object({ id: z.string(), name: z.string() });
const head = z.object({
  id: z.string(),
  config_id: z.string().nullable().meta({ description: "Null: it is of several configs" }),
  namespace: namespaceSchema.meta({
    description: "Of several configs: what they share, else *; so is the name",
  }),
  name: z.string(),
  type: z.enum(CHANGE_TYPES),
  config_etag: etagSchema
    .nullable()
    .meta({ description: "The config's ETag that the change was made for; null: it is of several" }),
  digest,
  description: z.string(),
  status: z.enum(CHANGE_REQUEST_STATES),
  author: person,
  approvals: z.array(z.object({ by: person, at: timeSchema, comment: z.string() })),
  created_at: timeSchema,
  updated_at: timeSchema,
  expires_at: timeSchema,
  ended: z.object({ by: person.nullable(), at: timeSchema, comment: z.string() }).nullable(),
  publish_id: z.string().nullable().meta({ description: "The plan that its execution began" }),
  version_id: versionIdSchema.nullable().meta({ description: "The version that its execution made" }),
  etag: etagSchema,
});
export const changeRequestSummary = head.meta({ id: "ChangeRequestSummary" });
export const changeRequestWritten = head
  .extend({ index: indexSchema, warnings: z.array(z.string()) })
  .meta({ id: "ChangeRequestWritten" });
export type ChangeRequestWritten = z.output<typeof changeRequestWritten>;
export const changeRequestView = head
  .extend({
    approvals_required: z.int().meta({ description: "By the policies of now" }),
    configs: z
      .array(
        z.object({
          app: z.string(),
          env: z.string(),
          name: z.string(),
          config_id: z.string().nullable(),
          etag: etagSchema.nullable().meta({ description: "That it was made for; null: it is created" }),
          action: z.enum(BUNDLE_ACTIONS),
          changes: z.array(z.enum([...BUNDLE_FIELDS, "owner"])),
        }),
      )
      .optional()
      .meta({ description: "Of several configs: what it would do to each" }),
    operation: z
      .object({
        type: z.string(),
        releases: z.array(releaseRuleView).optional(),
        version_id: versionIdSchema.optional(),
        abort_plan: z.boolean().optional(),
        content_hash: z
          .string()
          .optional()
          .meta({ description: "Its bytes are at /content while it is open" }),
        description: z.string().optional(),
        format: z.string().optional(),
        schema: z.unknown().optional(),
        strategy: z.string().optional(),
        stages: z.array(z.unknown()).optional(),
        batch: z
          .object({ items: z.array(z.unknown()) })
          .optional()
          .meta({ description: "As it was asked for, with the hash of each content" }),
        apply: z
          .object({ bundle: z.object({ id: z.string() }), configs: z.array(z.unknown()) })
          .optional()
          .meta({ description: "As it was asked for, with the hash of each content" }),
        prune: z.boolean().optional(),
        adopt: z.boolean().optional(),
        force: z.boolean().optional(),
        if_plan: z.string().optional().meta({ description: "The plan that is approved" }),
      })
      .meta({ id: "ChangeOperationView" }),
  })
  .meta({ id: "ChangeRequest" });
