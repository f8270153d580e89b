import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { contextText, type EncryptionContext } from "../../contracts/encryption/encryption-context.ts";
import type { DataKey, KeyService, WrappedKey } from "../kms/key-service.ts";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const GCM = { authTagLength: TAG_BYTES };

/** Keys for as long as the process lives: those named at its making, and no others. */
export class MemoryKeyService implements KeyService {
  private readonly keys: ReadonlyMap<string, Buffer>;

  constructor(keyIds: readonly string[]) {
    this.keys = new Map(keyIds.map((keyId) => [keyId, randomBytes(KEY_BYTES)]));
  }

  async generateDataKey({ keyId, context }: { keyId: string; context: EncryptionContext }): Promise<DataKey> {
    const plaintext = randomBytes(KEY_BYTES);
    return { keyId, plaintext, wrapped: this.wrap(keyId, plaintext, context) };
  }

  async rewrapDataKey(input: {
    keyId: string;
    wrapped: Uint8Array;
    context: EncryptionContext;
    toKeyId: string;
  }): Promise<WrappedKey> {
    const plaintext = await this.decryptDataKey(input);
    return { keyId: input.toKeyId, wrapped: this.wrap(input.toKeyId, plaintext, input.context) };
  }

  async decryptDataKey(input: {
    keyId: string;
    wrapped: Uint8Array;
    context: EncryptionContext;
  }): Promise<Uint8Array> {
    const wrapped = Buffer.from(input.wrapped);
    const key = this.key(input.keyId);
    try {
      const decipher = createDecipheriv(ALGORITHM, key, wrapped.subarray(0, IV_BYTES), GCM)
        .setAAD(Buffer.from(contextText(input.context)))
        .setAuthTag(wrapped.subarray(-TAG_BYTES));
      return Buffer.concat([decipher.update(wrapped.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
    } catch (cause) {
      throw new ConfluxError("validation_failed", "The wrapped key does not open.", { cause });
    }
  }

  private wrap(keyId: string, plaintext: Uint8Array, context: EncryptionContext): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.key(keyId), iv, GCM).setAAD(
      Buffer.from(contextText(context)),
    );
    return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }

  private key(keyId: string): Buffer {
    const key = this.keys.get(keyId);
    if (key === undefined) throw new ConfluxError("not_found", "There is no such key.");
    return key;
  }
}
