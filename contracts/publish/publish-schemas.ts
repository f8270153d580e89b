import { z } from "zod";
import { NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE } from "../access/auth-api.ts";
import {
  BAKE_MINUTES_MAX,
  BAKE_MINUTES_MIN,
  RULE_REGIONS_MAX,
  STAGE_NAME_BYTES_MAX,
} from "../../domain/limits.ts";
import { PUBLISH_STRATEGIES } from "../../domain/publish/publish-plan.ts";
import { contentFields, namespaceSchema } from "../config/config-schemas.ts";
import { descriptionSchema, etagSchema, indexSchema, timeSchema, versionIdSchema } from "../config/fields.ts";
import { labelsSchema } from "../config/release-schemas.ts";

const bakeMinutes = z
  .number()
  .min(BAKE_MINUTES_MIN)
  .max(BAKE_MINUTES_MAX)
  .meta({ description: "Minutes, fractions too, until the next step; left out, it waits for a hand" });
/** A field of later: refused in words rather than as unknown. */
const notYet = z
  .unknown()
  .refine((value) => value === undefined, "not supported yet; leave it out")
  .optional()
  .meta({ description: "Not supported yet" });

const stageInput = z
  .strictObject({
    name: z.string().min(1).max(STAGE_NAME_BYTES_MAX).regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE),
    regions: z.array(z.string().min(1).max(64)).min(1).max(RULE_REGIONS_MAX).optional(),
    labels: labelsSchema.optional(),
    bake_minutes: bakeMinutes.optional(),
    percentage: notYet,
    gates: notYet,
  })
  .meta({ id: "PublishStageInput", description: "Clients in one of the regions and with all of the labels" });

/** What is wrong with a strategy that is none of those below. */
function sayStrategy(input: unknown): string {
  const wanted = 'an object with the type "all", "canary" or "staged"';
  if (input === undefined) return `missing: give ${wanted}`;
  if (typeof input !== "object" || input === null) return wanted;
  if ("type" in input && input.type === "percentage") {
    return "percentage is not supported yet, since release rules have none; give all, canary or staged";
  }
  return "all, canary or staged";
}

const strategySchema = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("all") }),
    z.strictObject({
      type: z.literal("canary"),
      canary_labels: labelsSchema.refine((labels) => Object.keys(labels).length > 0, "at least one label"),
    }),
    z.strictObject({
      type: z.literal("staged"),
      stages: z
        .array(stageInput)
        .length(1, "exactly one stage for now; several are not supported yet")
        .meta({ minItems: 1, maxItems: 1 }),
    }),
  ],
  { error: ({ input }) => sayStrategy(input) },
);

export const publishRequest = z
  .strictObject({
    ...contentFields,
    version_id: versionIdSchema
      .optional()
      .meta({ description: "A version that is there, instead of content" }),
    description: descriptionSchema.default(""),
    strategy: strategySchema,
    make_default_after_mins: bakeMinutes.optional(),
  })
  .refine(
    (body) =>
      [body.content, body.content_base64, body.version_id].filter((v) => v !== undefined).length === 1,
    {
      message: "give exactly one of content, content_base64 and version_id",
      path: ["content"],
    },
  )
  .refine((body) => body.make_default_after_mins === undefined || body.strategy.type !== "all", {
    message: "all waits for nothing",
    path: ["make_default_after_mins"],
  })
  .refine(
    ({ strategy, make_default_after_mins: after }) =>
      after === undefined || strategy.type !== "staged" || strategy.stages[0]?.bake_minutes === undefined,
    { message: "the stage has bake_minutes already", path: ["make_default_after_mins"] },
  )
  .meta({ id: "PublishRequest" });

export const publishParams = z.object({
  pid: z.string().min(1).max(128).meta({ description: "Id of the publish" }),
});

/** Query of what is refused while a plan runs. */
export const abortPlanQuery = z.strictObject({
  abort_plan: z
    .enum(["true", "false"])
    .default("false")
    .meta({ description: "true: end a running publish plan instead of answering 409 publish_running" }),
});

const stageView = z.object({
  name: z.string(),
  regions: z.array(z.string()).nullable(),
  labels: z.record(z.string(), z.string()).nullable(),
  bake_minutes: z.number().nullable(),
  started_at: timeSchema,
});
const publishHead = z.object({
  publish_id: z.string(),
  config_id: z.string(),
  namespace: namespaceSchema,
  name: z.string(),
  version_id: versionIdSchema,
  previous_version_id: versionIdSchema.nullable().meta({ description: "What the default rule named before" }),
  description: z.string(),
  strategy: z.enum(PUBLISH_STRATEGIES),
  status: z.string().meta({ description: "stage1, full or aborted" }),
  stage: z.string().nullable().meta({ description: "Name of the stage that bakes; null when none does" }),
  due_at: timeSchema.nullable().meta({ description: "When that stage has baked; null: by hand alone" }),
  stages: z.array(stageView),
  creator: z.string(),
  created_at: timeSchema,
  updated_at: timeSchema,
  ended_at: timeSchema.nullable(),
  etag: etagSchema,
});
export const publishView = publishHead.meta({ id: "Publish" });
/** What a move of a plan answers. */
export const publishWritten = publishHead.extend({ index: indexSchema }).meta({ id: "PublishWritten" });
export const publishStarted = publishHead
  .extend({ index: indexSchema, warnings: z.array(z.string()) })
  .meta({ id: "PublishStarted" });
