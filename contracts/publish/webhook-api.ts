import { z } from "zod";

/** How long a webhook may take, its name's resolution included. */
export const WEBHOOK_MS_MAX = 5_000;
/** Bytes of its answer that are read; a longer one is none. */
export const WEBHOOK_ANSWER_BYTES_MAX = 4 * 1024;

/** How a secret begins whose rest is the key in base64 (Standard Webhooks); every other secret is the key itself. */
export const BASE64_SECRET = "whsec_";

/** What is sent to a webhook, headers and body as they go. */
export const webhookRequestSchema = z.strictObject({
  url: z.string().max(2048),
  headers: z.record(z.string().max(64), z.string().max(512)),
  body: z.string().max(64 * 1024),
});
export type WebhookRequest = z.infer<typeof webhookRequestSchema>;

/** What came of it: an answer, or why there is none. */
export const webhookReplySchema = z.discriminatedUnion("ok", [
  z.object({ ok: z.literal(true), status: z.int(), body: z.string() }),
  z.object({ ok: z.literal(false), reason: z.string() }),
]);
export type WebhookReply = z.infer<typeof webhookReplySchema>;

/** Posts to a webhook, once. What goes wrong on the way is an answer, too. */
export type PostWebhook = (request: WebhookRequest) => Promise<WebhookReply>;

/** What a webhook answers with status 200. */
export const webhookDecisionSchema = z.object({
  decision: z.enum(["yes", "no", "wait"]),
  reason: z.string().optional(),
});
