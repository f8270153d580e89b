/**
 * Seals a version's content before it enters the log (K1): AES-256-GCM under a data key that KMS made for this version
 * alone. Invariant: the data key exists in plaintext here only, between KMS's answer and the end of the encryption.
 */
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { contextText } from "../../contracts/encryption/encryption-context.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { SealedContent } from "../../domain/config/config.ts";
import {
  type ConfigIdentity,
  envelopeHead,
  envelopeText,
  type EnvelopeHead,
  KMS_KEY_ID,
  rewrapEnvelope,
} from "../../domain/encryption/envelope-text.ts";
import type { KeyService } from "./key-service.ts";

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** When a key is refused, somebody must change something first. */
const REFUSED_RETRY_AFTER_S = 30;
const AWAY_RETRY_AFTER_S = 1;

export interface SealedBytes {
  /** The envelope. */
  bytes: Uint8Array;
  /** Of `bytes`, lower-case hex. */
  sha256: string;
  sealed: SealedContent;
}

/**
 * The envelope of `plaintext`. Throws `key_service_unavailable`, whatever the key service has against it; no message
 * quotes what is sealed.
 */
export async function sealContent(
  keys: KeyService,
  { keyId, identity, plaintext }: { keyId: string; identity: ConfigIdentity; plaintext: Uint8Array },
): Promise<SealedBytes> {
  const context = { ...identity };
  const dataKey = await keys
    .generateDataKey({ keyId, context })
    .catch((error: unknown) => refuse(error, keyId));
  const iv = randomBytes(IV_BYTES);
  try {
    const cipher = createCipheriv("aes-256-gcm", dataKey.plaintext, iv, { authTagLength: TAG_BYTES }).setAAD(
      Buffer.from(contextText(context)),
    );
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    const tag = cipher.getAuthTag();
    const text = envelopeText({
      ...toHead({ keyId: dataKey.keyId, wrapped: dataKey.wrapped }),
      iv: iv.toString("base64"),
      ciphertext: ciphertext.toString("base64"),
      tag: tag.toString("base64"),
      context: identity,
    });
    const bytes = Buffer.from(text, "latin1");
    const content_sha256 = createHash("sha256").update(iv).update(ciphertext).update(tag).digest("hex");
    return { bytes, sha256: sha256Of(bytes), sealed: { key_id: dataKey.keyId, content_sha256 } };
  } finally {
    dataKey.plaintext.fill(0);
  }
}

/**
 * How the envelope that begins at `at` is wrapped after its data key has been wrapped anew, and the hash of all of `bytes`
 * with that (K3). `toKeyId` null: by the key that it has. `before`: how it was wrapped.
 */
export async function rewrapContent(
  keys: KeyService,
  {
    bytes,
    at,
    identity,
    toKeyId,
  }: { bytes: Uint8Array; at: number; identity: ConfigIdentity; toKeyId: string | null },
): Promise<{ before: EnvelopeHead; after: EnvelopeHead; sha256: string }> {
  const before = envelopeHead(bytes, at);
  if (before === null) throw new Error(`the content of ${Object.values(identity).join("/")} is no envelope`);
  const wrapped = Buffer.from(before.wrapped_key, "base64");
  const to = toKeyId ?? before.key_id;
  const made = await keys
    .rewrapDataKey({ keyId: before.key_id, wrapped, context: { ...identity }, toKeyId: to })
    .catch((error: unknown) => refuse(error, to));
  const after = toHead(made);
  const rewrapped = rewrapEnvelope(bytes, after, at);
  if (rewrapped === null) throw new Error("an envelope was read and is none");
  return { before, after, sha256: sha256Of(rewrapped) };
}

function toHead({ keyId, wrapped }: { keyId: string; wrapped: Uint8Array }): EnvelopeHead {
  if (!KMS_KEY_ID.test(keyId)) throw new Error("the key service named a key in a way that no envelope holds");
  return { key_id: keyId, wrapped_key: Buffer.from(wrapped).toString("base64") };
}

function refuse(cause: unknown, keyId: string): never {
  if (!(cause instanceof ConfluxError)) throw asRefused(cause);
  const why: Partial<Record<ConfluxError["code"], string>> = {
    not_found: `The key service has no key ${keyId}`,
    forbidden: `The key service does not let ${keyId} be used`,
    validation_failed: `The wrapped key does not open, so ${keyId} cannot wrap it anew`,
    unavailable: "The key service did not answer in time",
  };
  const detail = why[cause.code];
  if (detail === undefined) throw cause;
  const retryAfterS = cause.code === "unavailable" ? AWAY_RETRY_AFTER_S : REFUSED_RETRY_AFTER_S;
  throw new ConfluxError("key_service_unavailable", `${detail}; nothing was changed`, { cause, retryAfterS });
}

/** What a key service refuses for a reason of its own is told by that reason's name; anything else is a defect here. */
function asRefused(cause: unknown): unknown {
  if (!(cause instanceof Error && "$fault" in cause)) return cause;
  const detail = `The key service refused: ${cause.name}; nothing was changed`;
  return new ConfluxError("key_service_unavailable", detail, { cause, retryAfterS: REFUSED_RETRY_AFTER_S });
}

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
