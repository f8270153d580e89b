import { z } from "zod";
import { PRIORITY_ABS_MAX, RULES_MAX } from "../../domain/limits.ts";
import { etagSchema, indexSchema, versionIdSchema } from "./fields.ts";

const edgeSchema = z.strictObject({ regions: z.array(z.string().min(1).max(64)).min(1) });

/** A release rule in a request: labels and priority may be left out of a default rule. */
export const releaseRuleInput = z
  .strictObject({
    labels: z.record(z.string().min(1), z.string()).default({}),
    version_id: versionIdSchema,
    priority: z.int().min(-PRIORITY_ABS_MAX).max(PRIORITY_ABS_MAX).default(0),
    edge: edgeSchema.optional(),
  })
  .meta({ id: "ReleaseRuleInput" });

/** The whole list of rules of a config. */
export const releaseRulesInput = z.array(releaseRuleInput).max(RULES_MAX);

export const releaseRuleView = z
  .object({
    labels: z.record(z.string(), z.string()),
    version_id: versionIdSchema,
    priority: z.int(),
    edge: edgeSchema.optional(),
    publish_id: z.string().optional().meta({ description: "The publish plan that owns the rule" }),
  })
  .meta({ id: "ReleaseRule" });

export const releasesView = z
  .object({ releases: z.array(releaseRuleView), etag: etagSchema })
  .meta({ id: "Releases" });
export const releasesWritten = releasesView
  .extend({ index: indexSchema, warnings: z.array(z.string()) })
  .meta({ id: "ReleasesWritten" });

export const rollbackRequest = z
  .strictObject({ version_id: versionIdSchema })
  .meta({ id: "RollbackRequest" });

/** Answer of the resolve simulator (C8). */
export const resolveView = z
  .object({
    version_id: versionIdSchema.nullable().meta({ description: "null: this client gets nothing" }),
    rule: releaseRuleView.extend({ position: z.int() }).nullable(),
    trace: z.array(
      z.object({
        rule: releaseRuleView,
        position: z.int(),
        matched: z.boolean(),
        why_not: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: "Resolution" });
