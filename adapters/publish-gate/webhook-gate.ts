import { createHmac } from "node:crypto";
import {
  gateReason,
  type GateQuestion,
  type PublishGatePort,
} from "../../contracts/publish/publish-gate-port.ts";
import {
  BASE64_SECRET,
  type PostWebhook,
  webhookDecisionSchema,
  type WebhookReply,
  type WebhookRequest,
} from "../../contracts/publish/webhook-api.ts";
import type { GateOutcome, WebhookGate } from "../../domain/publish/publish-gate.ts";
import { openGateSecret } from "./gate-secret.ts";

export interface WebhookGateDeps {
  post: PostWebhook;
  /** Opens the secrets of plans (gate-secret.ts). */
  serviceKey: string;
  nowMs: () => number;
}

/** Asks a service of the tenant. Only its own `no` fails: without an answer that makes sense the gate waits. */
export function createWebhookGate(deps: WebhookGateDeps): PublishGatePort<WebhookGate> {
  return {
    async check(question) {
      const { plan, gate } = question;
      const owner = { tenant: plan.namespace.tenant, config_id: plan.config_id };
      const secret = await openGateSecret(deps.serviceKey, { owner, sealed: gate.secret });
      if (secret === null) return waits("its secret does not open any more: begin the plan anew");
      return readReply(await deps.post(signedRequest(question, secret, deps.nowMs())));
    },
  };
}

const waits = (reason: string): GateOutcome => ({ verdict: "waits", reason: gateReason(reason) });

function readReply(reply: WebhookReply): GateOutcome {
  if (!reply.ok) return waits(reply.reason);
  if (reply.status !== 200) return waits(`it answered ${reply.status}`);
  const parsed = webhookDecisionSchema.safeParse(readJson(reply.body));
  if (!parsed.success) return waits('it answered something else than {"decision": "yes" | "no" | "wait"}');
  const { decision, reason = "" } = parsed.data;
  if (decision === "yes") return { verdict: "holds" };
  const said = gateReason(reason);
  if (decision === "no") return { verdict: "fails", reason: said || "it answered no" };
  return waits(said || "it answered wait");
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Told as an answer that makes no sense.
    return undefined;
  }
}

/**
 * Headers and signature as Standard Webhooks has them: HMAC-SHA-256 over id, time in seconds and body. A secret that begins with
 * `whsec_` is base64, any other is taken as it is.
 */
export function signedRequest(
  { plan, stage, gate }: GateQuestion<WebhookGate>,
  secret: string,
  nowMs: number,
): WebhookRequest {
  const body = JSON.stringify({
    type: "publish.gate",
    timestamp: new Date(nowMs).toISOString(),
    data: {
      publish_id: plan.id,
      config_id: plan.config_id,
      namespace: plan.namespace,
      name: plan.name,
      version_id: plan.version_id,
      previous_version_id: plan.previous_version_id,
      stage: stage.name,
      stage_number: plan.stage,
      stages: plan.stages.length,
      stage_started_at: stage.started_at_ms === null ? null : new Date(stage.started_at_ms).toISOString(),
    },
  });
  const id = `${plan.id}.${plan.stage}.${nowMs}`;
  const timestamp = String(Math.floor(nowMs / 1000));
  const key = secret.startsWith(BASE64_SECRET)
    ? Buffer.from(secret.slice(BASE64_SECRET.length), "base64")
    : secret;
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return {
    url: gate.url,
    headers: {
      "content-type": "application/json",
      "user-agent": "conflux",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature}`,
    },
    body,
  };
}
