import { z } from "zod";
import { NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE } from "../access/auth-api.ts";
import {
  BAKE_MINUTES_MAX,
  BAKE_MINUTES_MIN,
  PAUSE_MINUTES_DEFAULT,
  PAUSE_MINUTES_MAX,
  PAUSE_MINUTES_MIN,
  PUBLISH_STAGES_MAX,
  RULE_REGIONS_MAX,
  STAGE_NAME_BYTES_MAX,
} from "../../domain/limits.ts";
import { PAUSE_ENDS, PUBLISH_STRATEGIES } from "../../domain/publish/publish-plan.ts";
import { contentFields, namespaceSchema } from "../config/config-schemas.ts";
import { descriptionSchema, etagSchema, indexSchema, timeSchema, versionIdSchema } from "../config/fields.ts";
import { labelsSchema, percentageInput } from "../config/release-schemas.ts";
import { DRY_RUN_CLIENTS_MAX } from "../limits.ts";
import { gatedStageFields, gatesInput, gateStop, skipGatesRequest } from "./publish-gate-schemas.ts";

export const bakeMinutes = z
  .number()
  .min(BAKE_MINUTES_MIN)
  .max(BAKE_MINUTES_MAX)
  .meta({ description: "Minutes, fractions too, until the next step; left out, it waits for a hand" });

/** Of a stage: a share of nobody would bake for nothing. */
const stagePercentage = percentageInput.refine(({ percent }) => percent > 0, {
  message: "above 0: else nobody is in the stage",
  path: ["percent"],
});
/**
 * What a reader cannot see: stages that look the same would not be told apart. Asked for here and not by the log. The joiners
 * within a name change what is seen, in emoji and in some scripts.
 */
const JOINERS = /[\u200C\u200D]/gu;
const UNSEEN_CHARACTERS = /(?![\u200C\u200D])[\p{Cf}\p{Zl}\p{Zp}]|^[\u200C\u200D]|[\u200C\u200D]$/u;
const stageFields = {
  name: z
    .string()
    .min(1)
    .max(STAGE_NAME_BYTES_MAX)
    .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE)
    .refine((name) => !UNSEEN_CHARACTERS.test(name), "must have no format characters, which nobody sees")
    .refine((name) => name.trim() === name, "must neither begin nor end with white space"),
  regions: z.array(z.string().min(1).max(64)).min(1).max(RULE_REGIONS_MAX).optional(),
  labels: labelsSchema.optional(),
  bake_minutes: bakeMinutes.optional(),
  gates: gatesInput.optional(),
};
export const stageInput = z.strictObject({ ...stageFields, percentage: stagePercentage.optional() }).meta({
  id: "PublishStageInput",
  description: "Clients in one of the regions, with all of the labels and in the percentage",
});
const percentageStageInput = z
  .strictObject({ ...stageFields, percentage: stagePercentage })
  .meta({ id: "PublishPercentageStageInput" });

/** What a stage without a name of its own is called; positions count from 0. */
export const stageNameAt = (position: number): string => `stage${position + 1}`;

/**
 * Stages of one plan, each called otherwise than those before it, however its characters are composed: answers say by its name
 * which stage a plan is in. Asked for here and not by the log, in which there may be plans with such stages.
 */
export function stagesInput<S extends z.ZodType<{ name?: string | undefined }>>(stage: S): z.ZodArray<S> {
  return z
    .array(stage)
    .min(1)
    .max(PUBLISH_STAGES_MAX)
    .superRefine((stages, context) => {
      const firstOf = new Map<string, number>();
      for (const [i, { name = stageNameAt(i) }] of stages.entries()) {
        const seen = name.normalize("NFC").replaceAll(JOINERS, "");
        const first = firstOf.get(seen);
        if (first === undefined) firstOf.set(seen, i);
        else {
          const message = `the stage at ${first} is called ${name} already`;
          context.addIssue({ code: "custom", path: [i, "name"], message });
        }
      }
    })
    .meta({ description: "One after the other; no two have the same name" });
}

const TYPES = "all, canary, percentage or staged";
/** What is wrong with a strategy that is none of those below. */
function sayStrategy(input: unknown): string {
  const wanted = 'an object with the type "all", "canary", "percentage" or "staged"';
  if (input === undefined) return `missing: give ${wanted}`;
  return typeof input !== "object" || input === null ? wanted : TYPES;
}

export const strategySchema = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("all") }),
    z.strictObject({
      type: z.literal("canary"),
      canary_labels: labelsSchema.refine((labels) => Object.keys(labels).length > 0, "at least one label"),
    }),
    z.strictObject({
      type: z.literal("percentage"),
      stages: stagesInput(percentageStageInput),
    }),
    z.strictObject({
      type: z.literal("staged"),
      stages: stagesInput(stageInput),
    }),
  ],
  { error: ({ input }) => sayStrategy(input) },
);

/** Whether the last stage says how long it bakes, so that nothing else may. */
export function lastBakes(strategy: z.output<typeof strategySchema>): boolean {
  return "stages" in strategy && strategy.stages.at(-1)?.bake_minutes !== undefined;
}

export const dryRunClients = z
  .array(labelsSchema)
  .max(DRY_RUN_CLIENTS_MAX)
  .optional()
  .meta({ description: "With dry_run=true: labels of clients to say what they would get" });

export const publishRequest = z
  .strictObject({
    ...contentFields,
    version_id: versionIdSchema
      .optional()
      .meta({ description: "A version that is there, instead of content" }),
    description: descriptionSchema.default(""),
    strategy: strategySchema,
    make_default_after_mins: bakeMinutes.optional().meta({
      description:
        "How long the last stage bakes before everyone gets the version, when it does not say so itself",
    }),
    clients: dryRunClients,
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
  .refine((body) => body.make_default_after_mins === undefined || !lastBakes(body.strategy), {
    message: "the last stage has bake_minutes already",
    path: ["make_default_after_mins"],
  })
  .meta({ id: "PublishRequest" });

export const pauseRequest = z
  .strictObject({
    max_minutes: z
      .number()
      .min(PAUSE_MINUTES_MIN)
      .max(PAUSE_MINUTES_MAX)
      .default(PAUSE_MINUTES_DEFAULT)
      .meta({
        description: "Minutes, fractions too, after which the pause counts as forgotten",
      }),
    on_timeout: z
      .enum(PAUSE_ENDS)
      .default("abort")
      .meta({ description: "What ends a forgotten pause: the plan is aborted, or goes on" }),
  })
  .meta({ id: "PauseRequest" });

const expectedStage = z.int().min(1).max(PUBLISH_STAGES_MAX).optional().meta({
  description:
    "The number of the stage that is to be left: 2 of a plan whose status is stage2. Refused (invalid_transition) when the plan is in another one by then; left out: whichever it is in",
});
/** A stage that is advanced by hand. */
export const advanceRequest = skipGatesRequest
  .extend({ expected_stage: expectedStage })
  .meta({ id: "AdvancePublishRequest" });
/** The same of a typed config. */
export const grayAdvanceRequest = z
  .strictObject({ expected_stage: expectedStage })
  .meta({ id: "GrayAdvanceRequest" });

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

export const publishQuery = abortPlanQuery.extend({
  dry_run: z
    .enum(["true", "false"])
    .default("false")
    .meta({ description: "true: write nothing, and say who would get what in each stage" }),
});

const stageView = z.object({
  name: z.string(),
  regions: z.array(z.string()).nullable(),
  labels: z.record(z.string(), z.string()).nullable(),
  percentage: percentageInput.optional(),
  bake_minutes: z.number().nullable(),
  started_at: timeSchema.nullable(),
  ...gatedStageFields,
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
  status: z.string().meta({ description: "stage1 to stageN, paused, full, aborted or deprecated" }),
  stage: z
    .string()
    .nullable()
    .meta({ description: "Name of the stage that bakes or is paused; null when none is" }),
  due_at: timeSchema.nullable().meta({ description: "When that stage has baked; null: by hand alone" }),
  pause: z
    .object({ started_at: timeSchema, ends_at: timeSchema, on_timeout: z.enum(PAUSE_ENDS) })
    .nullable()
    .meta({ description: "When it counts as forgotten, and what ends it then; null: not paused" }),
  stopped_by: gateStop,
  stages: z.array(stageView),
  creator: z.string(),
  created_at: timeSchema,
  updated_at: timeSchema,
  ended_at: timeSchema.nullable(),
  etag: etagSchema,
});
export const publishView = publishHead.meta({ id: "Publish" });
/** One plan that is asked for by its id. */
export const publishWithEnd = publishHead
  .extend({
    superseded_by: z.string().nullable().meta({
      description: "Of an aborted plan: the plan whose beginning ended it (abort_plan=true); null: none did",
    }),
  })
  .meta({ id: "PublishWithEnd" });
/** What a move of a plan answers. */
export const publishWritten = publishHead.extend({ index: indexSchema }).meta({ id: "PublishWritten" });
export const publishStarted = publishHead
  .extend({ index: indexSchema, warnings: z.array(z.string()) })
  .meta({ id: "PublishStarted" });

/** Who would get what (dry run): before the plan, in each of its stages, and when it is full. */
export const publishPreview = z
  .object({
    dry_run: z.literal(true),
    version_id: versionIdSchema.meta({ description: "That the plan would bring; a new one is not made" }),
    steps: z.array(
      z.object({
        status: z.string().meta({ description: "before, stage1 to stageN, full" }),
        stage: z.string().nullable(),
        served: z.array(
          z.object({
            region: z.string(),
            labels: z.record(z.string(), z.string()),
            version_id: versionIdSchema.nullable().meta({ description: "null: this client gets nothing" }),
          }),
        ),
      }),
    ),
    warnings: z.array(z.string()),
  })
  .meta({ id: "PublishPreview" });
