import { z } from "zod";
import { NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE } from "../access/auth-api.ts";
import {
  GATE_APPROVERS_MAX,
  GATE_COMMENT_CHARACTERS_MAX,
  GATE_SAMPLE_MAX,
  GATE_SECRET_CHARACTERS_MAX,
  GATE_SECRET_CHARACTERS_MIN,
  GATE_URL_CHARACTERS_MAX,
  GATES_MAX,
} from "../../domain/limits.ts";
import { GATE_FAILURES, GATE_TYPES, GATE_VERDICTS } from "../../domain/publish/publish-gate.ts";
import { timeSchema } from "../config/fields.ts";
import { BASE64_SECRET } from "./webhook-api.ts";

/** No user or password in it; plain HTTP is for a service on the development machine itself, and refused everywhere else. */
const WEBHOOK_URL =
  /^(?:https:\/\/[^\s/?#@\\]+|http:\/\/(?:localhost|127\.0\.0\.1)(?::\d+)?)(?:[/?][^\s#]*)?$/;

/** What another service's configuration takes as it is, too: Standard Webhooks knows secrets of these characters alone. */
const ASCII = /^[\x20-\x7e]*$/;
/** Base64 of at least 16 bytes: what does not decode would sign with a key that anybody can guess. */
const BASE64_KEY =
  /^(?:[A-Za-z0-9+/]{4}){5,}(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?|[A-Za-z0-9+/]{4})$/;
const isSigningSecret = (text: string): boolean =>
  !text.startsWith(BASE64_SECRET) || BASE64_KEY.test(text.slice(BASE64_SECRET.length));

const onFail = z
  .enum(GATE_FAILURES)
  .default("pause")
  .meta({ description: "What a gate that fails does to the plan" });
const webhookGate = z
  .strictObject({
    type: z.literal("webhook"),
    url: z
      .string()
      .max(GATE_URL_CHARACTERS_MAX)
      .regex(WEBHOOK_URL, "an https address without a password or a fragment")
      .refine((text) => URL.canParse(text), "not an address: its host or its port is none")
      .meta({ description: "Is asked with every look at the plan, about once a minute" }),
    secret: z
      .string()
      .min(GATE_SECRET_CHARACTERS_MIN)
      .max(GATE_SECRET_CHARACTERS_MAX)
      .regex(ASCII, "letters, digits and signs of ASCII")
      .refine(isSigningSecret, `after ${BASE64_SECRET}, base64 of at least 16 bytes`)
      .meta({ description: "Signs what is sent; never shown again", writeOnly: true }),
    on_fail: onFail,
  })
  .meta({ id: "WebhookGateInput" });
const approvalGate = z
  .strictObject({
    type: z.literal("approval"),
    approvers: z
      .int()
      .min(1)
      .max(GATE_APPROVERS_MAX)
      .default(1)
      .meta({ description: "People other than the plan's creator who must approve the stage" }),
  })
  .meta({ id: "ApprovalGateInput" });
const deliveryReportsGate = z
  .strictObject({
    type: z.literal("delivery_reports"),
    max_error_percent: z.number().min(0).max(100).meta({
      description: "Percentage points by which errors may be more frequent with the version than without it",
    }),
    sample_min: z
      .int()
      .min(1)
      .max(GATE_SAMPLE_MAX)
      .meta({ description: "Clients that must have reported on the version" }),
    on_fail: onFail,
  })
  .meta({ id: "DeliveryReportsGateInput" });

const TYPES = `an object with the type ${GATE_TYPES.map((type) => `"${type}"`).join(", ")}`;
export const gateInput = z.discriminatedUnion("type", [webhookGate, approvalGate, deliveryReportsGate], {
  error: () => TYPES,
});
export const gatesInput = z.array(gateInput).max(GATES_MAX).meta({
  description: "What must hold before the stage is left, besides its bake time",
});

const person = z.object({ id: z.string(), name: z.string() });
/** A gate as answers show it: without its secret. */
export const gateView = z
  .object({
    type: z.enum(GATE_TYPES),
    url: z.string().optional(),
    approvers: z.int().optional(),
    max_error_percent: z.number().optional(),
    sample_min: z.int().optional(),
    on_fail: z.enum(GATE_FAILURES).optional(),
    verdict: z.enum(GATE_VERDICTS),
    reason: z.string().nullable().meta({ description: "Why it does not hold, when that was first so" }),
  })
  .meta({ id: "PublishGate" });
export const gatedStageFields = {
  gates: z.array(gateView).optional(),
  approvals: z.array(z.object({ by: person, at: timeSchema, comment: z.string() })).optional(),
  gates_skipped: z.object({ by: person, at: timeSchema, reason: z.string() }).optional(),
};
export const gateStop = z
  .object({ gate: z.enum(GATE_TYPES), reason: z.string(), at: timeSchema })
  .nullable()
  .meta({ description: "The gate that paused or aborted the plan; null: none did" });

const comment = z.string().max(GATE_COMMENT_CHARACTERS_MAX).regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE);
export const approveStageRequest = z
  .strictObject({ comment: comment.default("") })
  .meta({ id: "ApprovePublishStageRequest" });

/** Query of what may go on without the gates of its stage. */
export const skipGatesQuery = z.strictObject({
  skip_gates: z.enum(["true", "false"]).default("false").meta({
    description:
      "true: the stage goes on without its gates, for the reason of the body; needs the permission approve",
  }),
});
export const skipGatesRequest = z
  .strictObject({
    reason: comment.optional().meta({ description: "With skip_gates=true: why; it is kept and audited" }),
  })
  .meta({ id: "SkipGatesRequest" });
