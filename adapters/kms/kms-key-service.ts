import { DecryptCommand, GenerateDataKeyCommand, KMSClient, ReEncryptCommand } from "@aws-sdk/client-kms";
import type { EncryptionContext } from "../../contracts/encryption/encryption-context.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { type AwsEndpoint, clientOptions } from "../aws/aws-endpoint.ts";
import { isAwsError, mapAwsError } from "../aws/map-aws-error.ts";
import type { DataKey, KeyService, WrappedKey } from "./key-service.ts";

/** AWS KMS, or its stand-in at `endpoint.url`. `keyId` may be an id, an ARN, an alias or an alias's ARN. */
export class KmsKeyService implements KeyService {
  private readonly client: KMSClient;
  private readonly deadlineMs: number | null;

  /** `deadlineMs`: a call that has not ended by then, repeats included, is `unavailable`; null: as the client's own limits have it. */
  constructor(endpoint: AwsEndpoint, { deadlineMs = null }: { deadlineMs?: number | null } = {}) {
    this.client = new KMSClient(clientOptions(endpoint));
    this.deadlineMs = deadlineMs;
  }

  async generateDataKey(input: { keyId: string; context: EncryptionContext }): Promise<DataKey> {
    const command = new GenerateDataKeyCommand({
      KeyId: input.keyId,
      KeySpec: "AES_256",
      EncryptionContext: { ...input.context },
    });
    const { KeyId, Plaintext, CiphertextBlob } = await this.client.send(command, this.limit()).catch(refuse);
    if (!KeyId || !Plaintext || !CiphertextBlob) throw incomplete();
    return { keyId: KeyId, plaintext: Plaintext, wrapped: CiphertextBlob };
  }

  async rewrapDataKey(input: {
    keyId: string;
    wrapped: Uint8Array;
    context: EncryptionContext;
    toKeyId: string;
  }): Promise<WrappedKey> {
    const command = new ReEncryptCommand({
      SourceKeyId: input.keyId,
      CiphertextBlob: input.wrapped,
      SourceEncryptionContext: { ...input.context },
      DestinationKeyId: input.toKeyId,
      DestinationEncryptionContext: { ...input.context },
    });
    const { KeyId, CiphertextBlob } = await this.client.send(command, this.limit()).catch(refuse);
    if (!KeyId || !CiphertextBlob) throw incomplete();
    return { keyId: KeyId, wrapped: CiphertextBlob };
  }

  async decryptDataKey(input: {
    keyId: string;
    wrapped: Uint8Array;
    context: EncryptionContext;
  }): Promise<Uint8Array> {
    const command = new DecryptCommand({
      KeyId: input.keyId,
      CiphertextBlob: input.wrapped,
      EncryptionContext: { ...input.context },
    });
    const { Plaintext } = await this.client.send(command, this.limit()).catch(refuse);
    if (!Plaintext) throw incomplete();
    return Plaintext;
  }

  private limit(): { abortSignal?: AbortSignal } {
    return this.deadlineMs === null ? {} : { abortSignal: AbortSignal.timeout(this.deadlineMs) };
  }
}

const incomplete = (): ConfluxError => new ConfluxError("internal", "KMS answered without a key.");

function refuse(error: unknown): never {
  const cause = error;
  if (isAwsError(error, "InvalidCiphertextException", "IncorrectKeyException")) {
    throw new ConfluxError("validation_failed", "The wrapped key does not open.", { cause });
  }
  if (isAwsError(error, "NotFoundException")) {
    throw new ConfluxError("not_found", "KMS has no such key.", { cause });
  }
  if (isAwsError(error, "AccessDeniedException", "DisabledException", "KMSInvalidStateException")) {
    throw new ConfluxError("forbidden", "The key may not be used.", { cause });
  }
  throw mapAwsError(error, "KMS");
}
