/**
 * Secrets of webhook gates, sealed by the admin Worker and opened where the webhook is signed: AES-256-GCM under a key made
 * of the service key that both hold (HKDF-SHA-256, RFC 5869). The tenant and the config are authenticated with it, so a
 * sealed secret is of no use in another config's plan. With another service key the secrets of plans that run do not open;
 * their gates wait and say so.
 */
const utf8 = new TextEncoder();
const IV_BYTES = 12;
const FORMAT = "v1.";
const KEY_USE = "conflux publish gate secrets";

/** Whose secret it is. */
export interface SecretOwner {
  tenant: string;
  config_id: string;
}

/** The secret as a plan has it. */
export async function sealGateSecret(
  serviceKey: string,
  { owner, secret }: { owner: SecretOwner; secret: string },
): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await sealingKey(serviceKey, "encrypt");
  const sealed = await crypto.subtle.encrypt(gcm(iv, owner), key, utf8.encode(secret));
  const bytes = new Uint8Array([...iv, ...new Uint8Array(sealed)]);
  return FORMAT + toText(bytes);
}

/** The secret again; null when it was sealed under another key, for another config, or was changed. */
export async function openGateSecret(
  serviceKey: string,
  { owner, sealed }: { owner: SecretOwner; sealed: string },
): Promise<string | null> {
  const bytes = sealed.startsWith(FORMAT) ? fromText(sealed.slice(FORMAT.length)) : null;
  if (bytes === null || bytes.byteLength <= IV_BYTES) return null;
  const key = await sealingKey(serviceKey, "decrypt");
  try {
    const iv = bytes.slice(0, IV_BYTES);
    const opened = await crypto.subtle.decrypt(gcm(iv, owner), key, bytes.slice(IV_BYTES));
    return new TextDecoder().decode(opened);
  } catch (error) {
    // What does not open is told so; which of the reasons it is, the cipher does not say.
    if (error instanceof DOMException && error.name === "OperationError") return null;
    throw error;
  }
}

async function sealingKey(serviceKey: string, use: "encrypt" | "decrypt") {
  const raw = await crypto.subtle.importKey("raw", utf8.encode(serviceKey), "HKDF", false, ["deriveKey"]);
  const from = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: utf8.encode(KEY_USE) };
  return crypto.subtle.deriveKey(from, raw, { name: "AES-GCM", length: 256 }, false, [use]);
}

function gcm(iv: Uint8Array<ArrayBuffer>, { tenant, config_id }: SecretOwner) {
  // As JSON, so that no part can run into the next.
  return { name: "AES-GCM", iv, additionalData: utf8.encode(JSON.stringify([tenant, config_id])) };
}

function toText(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function fromText(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[\w-]+$/.test(text)) return null;
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
