import { z } from "zod";
import {
  CONDITION_VALUES_MAX,
  CONDITIONS_MAX,
  LABEL_NAME_BYTES_MAX,
  LABEL_VALUE_BYTES_MAX,
  PATTERN_BYTES_MAX,
  PRIORITY_ABS_MAX,
  RULE_REGIONS_MAX,
  RULES_MAX,
} from "../../domain/limits.ts";
import { CONDITION_OPS } from "../../domain/release-rule/release-rule.ts";
import { etagSchema, indexSchema, versionIdSchema } from "./fields.ts";

const edgeSchema = z.strictObject({
  regions: z.array(z.string().min(1).max(64)).min(1).max(RULE_REGIONS_MAX),
});

const op = z.enum(CONDITION_OPS, { error: `an operator: ${CONDITION_OPS.join(", ")}` }).meta({
  description:
    "in, not_in, prefix, suffix: exact texts; regex: RE2, found anywhere, at most " +
    `${PATTERN_BYTES_MAX} bytes; semver: npm ranges; cidr: IPv4 and IPv6; exists: no value, "true" or "false"; ` +
    "gt, lt: decimal numbers. Only not_in and exists false hold for a client without the label",
});
const percent = z
  .number()
  .min(0)
  .max(100)
  .meta({ description: "0.00 to 100.00; raising it only adds clients" });
const salt = z
  .string()
  .min(1)
  .max(LABEL_VALUE_BYTES_MAX)
  .optional()
  .meta({ description: "Rules with one salt draw the same clients first; the config's id when left out" });

/** Labels of a rule or a stage. How many there may be the rules say. */
export const labelsSchema = z
  .record(z.string().min(1).max(LABEL_NAME_BYTES_MAX), z.string().max(LABEL_VALUE_BYTES_MAX))
  .meta({ propertyNames: { type: "string", minLength: 1, maxLength: LABEL_NAME_BYTES_MAX } });

/** Labels are texts, so a number or a boolean is taken for the text that it is written as. */
const EXACT_NUMBER = "a number of at most 15 digits; write a longer one as a text";
/** Whether a number is surely the one that was written: JSON's readers round what has more digits. */
function isExact(value: number): boolean {
  return Math.abs(value) < 1e15 && String(value).replaceAll(/[^0-9]/g, "").length <= 15;
}
const conditionValue = z
  // How long a text may be is for its operator to say.
  .union(
    [
      z.string().meta({ maxLength: LABEL_VALUE_BYTES_MAX }),
      z.number().refine(isExact, { error: EXACT_NUMBER }),
      z.boolean(),
    ],
    {
      error: `a text, a boolean or ${EXACT_NUMBER}`,
    },
  )
  .transform(String);
const conditionInput = z
  .strictObject({
    label: z.string().min(1).max(LABEL_NAME_BYTES_MAX),
    op,
    values: z.array(conditionValue).max(CONDITION_VALUES_MAX).default([]),
  })
  .meta({ id: "RuleConditionInput" });
export const percentageInput = z
  .strictObject({ by: z.string().min(1).max(LABEL_NAME_BYTES_MAX), percent, salt })
  .meta({ id: "RulePercentageInput" });

/** A release rule in a request: labels and priority may be left out of a default rule. */
export const releaseRuleInput = z
  .strictObject({
    labels: labelsSchema.default({}),
    version_id: versionIdSchema,
    priority: z.int().min(-PRIORITY_ABS_MAX).max(PRIORITY_ABS_MAX).default(0),
    when: z
      .array(conditionInput)
      .max(CONDITIONS_MAX)
      .optional()
      .meta({ description: "Conditions on labels; all must hold" }),
    percentage: percentageInput
      .optional()
      .meta({ description: "A share of the clients, by the value of one label; without it a client is out" }),
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
    when: z.array(z.object({ label: z.string(), op, values: z.array(z.string()) })).optional(),
    percentage: z.object({ by: z.string(), percent, salt }).optional(),
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
        bucket: z.int().nullable().meta({
          description: "The client's bucket, 0 to 9999, in the rule's percentage; null without one",
        }),
      }),
    ),
  })
  .meta({ id: "Resolution" });
