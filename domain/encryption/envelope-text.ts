import type { Namespace } from "../config/config-name.ts";

/** Whose content an envelope holds: KMS's encryption context and the additional data of the cipher. */
export interface ConfigIdentity extends Namespace {
  name: string;
}

/** Which key wraps an envelope's data key. Bytes are base64, here and below. */
export interface EnvelopeHead {
  /** The KMS key's full name. */
  key_id: string;
  wrapped_key: string;
}
export interface EnvelopeParts extends EnvelopeHead {
  iv: string;
  ciphertext: string;
  tag: string;
  context: ConfigIdentity;
}

export const ENVELOPE_ALGORITHM = "A256GCM";
/** Ids, ARNs and aliases of KMS keys: ASCII that JSON does not escape, so that a head is cut and joined as bytes. */
export const KMS_KEY_ID = /^[A-Za-z0-9:/_-]{1,2048}$/;
/** The longest blob that KMS makes (6 KiB) in base64. */
export const WRAPPED_KEY_CHARACTERS_MAX = 8192;
/** A head's characters: the longest key id, the longest wrapped key, and names of fields. */
const HEAD_CHARACTERS_MAX = 2048 + WRAPPED_KEY_CHARACTERS_MAX + 64;
/** What follows the head. Quotes inside a JSON text are escaped, so it stands nowhere before. */
const CONTENT_MARK = ',"iv":"';

export function identityOf({ tenant, app, env }: Namespace, name: string): ConfigIdentity {
  return { tenant, app, env, name };
}

/** The envelope as it is stored and served (api.md): JSON whose fields have one order, in ASCII. */
export function envelopeText({ iv, ciphertext, tag, context, ...head }: EnvelopeParts): string {
  const { tenant, app, env, name } = context;
  const names = JSON.stringify({ tenant, app, env, name });
  return `${headText(head)}${CONTENT_MARK}${iv}","ciphertext":"${ciphertext}","tag":"${tag}","context":${names}}`;
}

/**
 * The bytes with another wrapped key in the envelope that begins at `at` (and is all of them, unless told otherwise); iv,
 * ciphertext, tag, context and whatever stands around the envelope are the same bytes as before (K3). Null when none begins
 * there.
 */
export function rewrapEnvelope(bytes: Uint8Array, head: EnvelopeHead, at = 0): Uint8Array | null {
  const found = readHead(bytes, at);
  if (found === null) return null;
  const text = headText(head);
  const out = new Uint8Array(bytes.byteLength - found.length + text.length);
  out.set(bytes.subarray(0, at));
  for (let i = 0; i < text.length; i += 1) out[at + i] = text.charCodeAt(i);
  out.set(bytes.subarray(at + found.length), at + text.length);
  return out;
}

/** How the data key of the envelope that begins at `at` is wrapped; null when none begins there. */
export function envelopeHead(bytes: Uint8Array, at = 0): EnvelopeHead | null {
  return readHead(bytes, at)?.head ?? null;
}

function readHead(bytes: Uint8Array, at: number): { head: EnvelopeHead; length: number } | null {
  // Not decoded as UTF-8: a head is ASCII, and whatever is not is no head.
  const text = String.fromCharCode(...bytes.subarray(at, at + HEAD_CHARACTERS_MAX));
  const length = text.indexOf(CONTENT_MARK);
  const match = HEAD.exec(text.slice(0, Math.max(length, 0)));
  const [, key_id, wrapped_key] = match ?? [];
  if (key_id === undefined || wrapped_key === undefined) return null;
  return { head: { key_id, wrapped_key }, length };
}

const HEAD = new RegExp(
  `^\\{"alg":"${ENVELOPE_ALGORITHM}","key_id":"([A-Za-z0-9:/_-]+)","wrapped_key":"([A-Za-z0-9+/=]+)"$`,
);

function headText({ key_id, wrapped_key }: EnvelopeHead): string {
  return `{"alg":"${ENVELOPE_ALGORITHM}","key_id":"${key_id}","wrapped_key":"${wrapped_key}"`;
}
