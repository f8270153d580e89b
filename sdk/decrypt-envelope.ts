/**
 * Opens the envelope of an encrypted config (api.md, fetch plane) where WebCrypto is: Node, browsers, Workers. Who opens
 * it brings an identity of its own at the key service; Conflux has none that could.
 */
import { contextText } from "../contracts/encryption/encryption-context.ts";

/** What a data key is bound to: the config's identity. */
export interface EnvelopeContext {
  tenant: string;
  app: string;
  env: string;
  name: string;
}

/**
 * Asks the key service for the 32 bytes of a data key, with the caller's own credentials. `context` must be given to it as
 * the encryption context. AWS: `Decrypt({ KeyId: keyId, CiphertextBlob: wrappedKey, EncryptionContext: context })`.
 */
export type DecryptDataKey = (
  wrappedKey: Uint8Array<ArrayBuffer>,
  keyId: string,
  context: EnvelopeContext,
) => Promise<Uint8Array>;

/** Why an envelope was not opened. No message quotes what was sealed. */
export type EnvelopeFault =
  /** The body is no envelope, or one of a kind that this build does not know. */
  | "malformed"
  /** It belongs to another config than the one that was asked for. */
  | "other_config"
  /** The key service did not give the data key; `cause` says why. */
  | "key_refused"
  /** The data key is another one, or something was changed on the way. */
  | "not_authentic";

export class EnvelopeError extends Error {
  readonly fault: EnvelopeFault;

  constructor(fault: EnvelopeFault, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "EnvelopeError";
    this.fault = fault;
  }
}

const ALGORITHM = "A256GCM";
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const FIELDS = ["alg", "key_id", "wrapped_key", "iv", "ciphertext", "tag", "context"];
const CONTEXT_FIELDS = ["tenant", "app", "env", "name"] as const;

interface Envelope {
  keyId: string;
  wrappedKey: Uint8Array<ArrayBuffer>;
  iv: Uint8Array<ArrayBuffer>;
  /** With the tag behind it, as WebCrypto has it. */
  sealed: Uint8Array<ArrayBuffer>;
  context: EnvelopeContext;
}

/**
 * The content that `body` holds. `config` is the full name (`tenant/app/env/name`) that was fetched: an envelope of any
 * other config is refused before the key service is asked. The data key is wiped before this resolves. Rejects with an
 * `EnvelopeError`.
 */
export async function decryptEnvelope(input: {
  body: Uint8Array | string;
  config: string;
  decryptDataKey: DecryptDataKey;
}): Promise<Uint8Array<ArrayBuffer>> {
  const { keyId, wrappedKey, iv, sealed, context } = readEnvelope(input.body);
  const owner = CONTEXT_FIELDS.map((field) => context[field]).join("/");
  if (owner !== input.config) {
    throw new EnvelopeError("other_config", `the envelope is of ${owner}, not of ${input.config}`);
  }
  const dataKey = await input.decryptDataKey(wrappedKey, keyId, context).catch((cause: unknown) => {
    throw new EnvelopeError("key_refused", "the key service did not open the data key", { cause });
  });
  try {
    if (dataKey.byteLength !== KEY_BYTES) {
      throw new EnvelopeError("not_authentic", `a data key has ${KEY_BYTES} bytes`);
    }
    return await open({ dataKey, iv, sealed, context });
  } finally {
    dataKey.fill(0);
  }
}

async function open(
  input: Pick<Envelope, "iv" | "sealed" | "context"> & { dataKey: Uint8Array },
): Promise<Uint8Array<ArrayBuffer>> {
  const additionalData = new TextEncoder().encode(contextText({ ...input.context }));
  // A copy of a view of whatever memory the key service's client uses; wiped like the original.
  const raw = new Uint8Array(input.dataKey);
  try {
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]);
    const algorithm = { name: "AES-GCM", iv: input.iv, additionalData, tagLength: TAG_BYTES * 8 };
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, input.sealed));
  } catch (cause) {
    throw new EnvelopeError("not_authentic", "the envelope does not open with its data key", { cause });
  } finally {
    raw.fill(0);
  }
}

/** Strict: what is not exactly an envelope of today's kind is none. */
function readEnvelope(body: Uint8Array | string): Envelope {
  const json = parse(body);
  if (!isRecord(json) || !hasExactly(json, FIELDS))
    throw malformed("its fields are not those of an envelope");
  if (json["alg"] !== ALGORITHM) throw malformed("its algorithm is not known");
  const { key_id: keyId, context } = json;
  if (typeof keyId !== "string" || keyId === "") throw malformed("it names no key");
  if (!isContext(context)) throw malformed("its context is no config");
  const ciphertext = fromBase64(json["ciphertext"], "ciphertext");
  const tag = fromBase64(json["tag"], "tag", TAG_BYTES);
  const sealed = new Uint8Array(ciphertext.byteLength + tag.byteLength);
  sealed.set(ciphertext);
  sealed.set(tag, ciphertext.byteLength);
  return {
    keyId,
    wrappedKey: fromBase64(json["wrapped_key"], "wrapped_key"),
    iv: fromBase64(json["iv"], "iv", IV_BYTES),
    sealed,
    context,
  };
}

function parse(body: Uint8Array | string): unknown {
  try {
    const text =
      typeof body === "string"
        ? body
        : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    return JSON.parse(text) as unknown;
  } catch {
    // Without its cause: a parser's message quotes the body.
    throw malformed("it is not JSON");
  }
}

/** Bytes from base64 in its one proper spelling, so that no two bodies stand for one envelope. */
function fromBase64(text: unknown, field: string, sizeBytes?: number): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer> | null = null;
  if (typeof text === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0) {
    const binary = atob(text);
    bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    // The bits after the last byte must be 0.
    if (btoa(binary.slice(binary.length - (binary.length % 3 || 3))) !== text.slice(-4)) bytes = null;
  }
  if (bytes === null || (sizeBytes !== undefined && bytes.byteLength !== sizeBytes)) {
    throw malformed(`${field} is not ${sizeBytes === undefined ? "" : `${sizeBytes} bytes of `}base64`);
  }
  return bytes;
}

function isContext(value: unknown): value is EnvelopeContext {
  return (
    isRecord(value) &&
    hasExactly(value, CONTEXT_FIELDS) &&
    Object.values(value).every((name) => typeof name === "string" && name !== "" && !name.includes("/"))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasExactly(record: Record<string, unknown>, fields: readonly string[]): boolean {
  return (
    Object.keys(record).length === fields.length && fields.every((field) => Object.hasOwn(record, field))
  );
}

function malformed(why: string): EnvelopeError {
  return new EnvelopeError("malformed", `the body is no envelope: ${why}`);
}
