import { createDecipheriv } from "node:crypto";
import type { KeyService } from "../key-service.ts";

/** The text that an envelope holds: for tests of what makes envelopes, by other means than the SDK's. */
export async function openContent(keys: KeyService, body: Uint8Array | string): Promise<string> {
  const text = typeof body === "string" ? body : Buffer.from(body).toString();
  const envelope = JSON.parse(text) as Record<string, string> & { context: Record<string, string> };
  const bytes = (field: string): Buffer => Buffer.from(envelope[field] ?? "", "base64");
  const { tenant, app, env, name } = envelope.context;
  const dataKey = await keys.decryptDataKey({
    keyId: envelope["key_id"] ?? "",
    wrapped: bytes("wrapped_key"),
    context: envelope.context,
  });
  const pairs = JSON.stringify(Object.entries({ app, env, name, tenant }));
  const decipher = createDecipheriv("aes-256-gcm", dataKey, bytes("iv"), { authTagLength: 16 })
    .setAAD(Buffer.from(pairs))
    .setAuthTag(bytes("tag"));
  return Buffer.concat([decipher.update(bytes("ciphertext")), decipher.final()]).toString();
}
