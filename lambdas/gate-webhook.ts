import { postWebhook } from "../adapters/publish-gate/post-webhook.ts";
import { type WebhookReply, webhookRequestSchema } from "../contracts/publish/webhook-api.ts";

/**
 * Posts to the webhook of a publish plan's gate, for publish-stage, which has no way to the internet; this function has nothing
 * else: no network of ours, no key, no data. It is invoked by publish-stage alone and answers what came of it; it rejects
 * what is no request.
 */
export const handler = (event: unknown): Promise<WebhookReply> =>
  postWebhook({ allowLocal: false }, webhookRequestSchema.parse(event));
