import {
  WEBHOOK_MS_MAX,
  type WebhookReply,
  webhookReplySchema,
  type WebhookRequest,
} from "../../contracts/publish/webhook-api.ts";
import { readAwsEnvironment } from "../aws/aws-environment.ts";
import { signAwsRequest } from "../aws/sign-aws-request.ts";

/** More than the function itself waits for the webhook, so that its word on that comes through. */
const INVOKE_MS_MAX = WEBHOOK_MS_MAX + 3_000;

export interface InvokeWebhookOptions {
  functionName: string;
  /** The environment that credentials and region come from. */
  environment: Record<string, string | undefined>;
  nowMs: () => number;
  fetch?: typeof fetch;
}

/**
 * Has another function post to a webhook: the one that asks is in a network without a way to the internet, and the one that
 * posts has nothing but that way (lambdas/gate-webhook.ts). Never rejects.
 */
export async function invokeWebhookFunction(
  { functionName, environment, nowMs, fetch: send = fetch }: InvokeWebhookOptions,
  request: WebhookRequest,
): Promise<WebhookReply> {
  const { region, credentials } = readAwsEnvironment(environment);
  const path = `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`;
  const url = new URL(`https://lambda.${region}.amazonaws.com${path}`);
  const body = JSON.stringify(request);
  const { host: _host, ...headers } = await signAwsRequest(
    { method: "POST", url, headers: { "content-type": "application/json" }, body },
    { credentials, region, service: "lambda", nowMs: nowMs() },
  );
  try {
    const signal = AbortSignal.timeout(INVOKE_MS_MAX);
    const answer = await send(url, { method: "POST", headers, body, signal });
    const failure = answer.headers.get("x-amz-function-error");
    if (!answer.ok || failure !== null) {
      return { ok: false, reason: `${functionName} failed (${failure ?? answer.status})` };
    }
    const reply = webhookReplySchema.safeParse(await answer.json());
    return reply.success ? reply.data : { ok: false, reason: `${functionName} answered something else` };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, reason: `${functionName} cannot be invoked: ${message}` };
  }
}
