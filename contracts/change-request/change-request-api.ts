import { isLogPlace, listCursor } from "../list-cursor.ts";
import { DIGEST_CHARACTERS } from "../limits.ts";
import { z } from "zod";
import { createVersionRequest, namespaceSchema } from "../config/config-schemas.ts";
import {
  descriptionSchema,
  etagSchema,
  indexSchema,
  listQuery,
  nameSchema,
  timeSchema,
  versionIdSchema,
} from "../config/fields.ts";
import { releaseRulesInput, releaseRuleView } from "../config/release-schemas.ts";
import { publishRequest } from "../publish/publish-schemas.ts";
import { CHANGE_REQUEST_STATES } from "../../domain/change-request/change-transitions.ts";
import { CHANGE_COMMENT_CHARACTERS_MAX } from "../../domain/limits.ts";

const abortPlan = z.boolean().default(false).meta({ description: "End a running publish plan with it" });
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
    ],
    { error: "an object with the type releases, rollback, publish, version or delete" },
  )
  .meta({ id: "ChangeOperation" });
const fields = { operation, description: descriptionSchema.default("") };

export const changeRequestRequest = z
  .strictObject({ config_id: z.string().min(1).max(128), ...fields })
  .meta({ id: "ChangeRequestRequest" });
export const changeRequestEdit = z.strictObject(fields).meta({ id: "ChangeRequestEdit" });

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

const person = z.object({ id: z.string(), name: z.string() });
const head = z.object({
  id: z.string(),
  config_id: z.string(),
  namespace: namespaceSchema,
  name: z.string(),
  type: z.enum(["releases", "rollback", "publish", "version", "delete"]),
  config_etag: etagSchema.meta({ description: "The config's ETag that the change was made for" }),
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
export const changeRequestView = head
  .extend({
    approvals_required: z.int().meta({ description: "By the policies of now" }),
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
      })
      .meta({ id: "ChangeOperationView" }),
  })
  .meta({ id: "ChangeRequest" });
