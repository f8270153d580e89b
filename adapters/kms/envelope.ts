/**
 * Envelope encryption: AES-256-GCM under a data key of its own, the data key wrapped by a key that never leaves KMS.
 * Invariant: an envelope opens only as a whole, unchanged, for the context it was sealed with. The context binds twice,
 * as KMS's encryption context and as additional data here, so a data key taken from one envelope opens no other.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { z } from "zod";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { contextText, type EncryptionContext } from "../../contracts/encryption/encryption-context.ts";
import type { KeyService } from "./key-service.ts";

const ALGORITHM = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;
const GCM = { authTagLength: TAG_BYTES };

const toText = (value: Uint8Array): string => Buffer.from(value).toString("base64url");
const fromText = (text: string): Buffer => Buffer.from(text, "base64url");

/** Base64url in its one proper spelling, so that an envelope cannot be changed and still be read as it was. */
const bytes = (sizeBytes?: number) =>
  z.string().refine((text) => {
    const value = fromText(text);
    return toText(value) === text && (sizeBytes === undefined || value.byteLength === sizeBytes);
  });

/** A sealed secret as it is stored; bytes are base64url. */
export const envelopeSchema = z.strictObject({
  format: z.literal(1),
  key_id: z.string().min(1),
  wrapped_key: bytes(),
  iv: bytes(IV_BYTES),
  ciphertext: bytes(),
  tag: bytes(TAG_BYTES),
});
export type Envelope = z.infer<typeof envelopeSchema>;

/** Seals `plaintext` for `context` under a new data key. Errors are those of `KeyService`. */
export async function sealEnvelope(
  keys: KeyService,
  { keyId, context, plaintext }: { keyId: string; context: EncryptionContext; plaintext: Uint8Array },
): Promise<Envelope> {
  const dataKey = await keys.generateDataKey({ keyId, context });
  const iv = randomBytes(IV_BYTES);
  try {
    const cipher = createCipheriv(ALGORITHM, dataKey.plaintext, iv, GCM).setAAD(additionalData(context));
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    return {
      format: 1,
      key_id: dataKey.keyId,
      wrapped_key: toText(dataKey.wrapped),
      iv: toText(iv),
      ciphertext: toText(ciphertext),
      tag: toText(cipher.getAuthTag()),
    };
  } finally {
    dataKey.plaintext.fill(0);
  }
}

/**
 * The sealed bytes. `validation_failed` when the envelope was changed, belongs to another context or to another key;
 * otherwise the errors of `KeyService`.
 */
export async function openEnvelope(
  keys: KeyService,
  envelope: Envelope,
  context: EncryptionContext,
): Promise<Uint8Array> {
  const wrapped = fromText(envelope.wrapped_key);
  const dataKey = await keys.decryptDataKey({ keyId: envelope.key_id, wrapped, context });
  try {
    const decipher = createDecipheriv(ALGORITHM, dataKey, fromText(envelope.iv), GCM)
      .setAAD(additionalData(context))
      .setAuthTag(fromText(envelope.tag));
    return Buffer.concat([decipher.update(fromText(envelope.ciphertext)), decipher.final()]);
  } catch (cause) {
    throw new ConfluxError("validation_failed", "The envelope does not open.", { cause });
  } finally {
    dataKey.fill(0);
  }
}

const additionalData = (context: EncryptionContext): Buffer => Buffer.from(contextText(context));
