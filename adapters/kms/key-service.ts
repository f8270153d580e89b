import type { EncryptionContext } from "../../contracts/encryption/encryption-context.ts";

export interface DataKey {
  /** The full name of the key that wraps it. */
  keyId: string;
  /** 32 bytes; whoever uses them wipes them. */
  plaintext: Uint8Array;
  wrapped: Uint8Array;
}
export type WrappedKey = Omit<DataKey, "plaintext">;

/**
 * Makes data keys, wraps them anew and opens them again. Rejects with `unavailable` when the service is away or its
 * deadline has passed, `not_found` for a key it does not have, `forbidden` when the caller may not use it or it is
 * disabled, and `validation_failed` for a wrapped key that does not open: another context, another key, or damage
 * (which of them is not said).
 */
export interface KeyService {
  generateDataKey(input: { keyId: string; context: EncryptionContext }): Promise<DataKey>;
  /** The same data key under `toKeyId` as it is now, for the same context. Nobody but the service sees it. */
  rewrapDataKey(input: {
    keyId: string;
    wrapped: Uint8Array;
    context: EncryptionContext;
    toKeyId: string;
  }): Promise<WrappedKey>;
  /** The 32 bytes. `keyId` is the key that must have wrapped them. */
  decryptDataKey(input: {
    keyId: string;
    wrapped: Uint8Array;
    context: EncryptionContext;
  }): Promise<Uint8Array>;
}
