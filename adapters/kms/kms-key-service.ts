import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { type AwsEndpoint, clientOptions } from "../aws/aws-endpoint.ts";
import { isAwsError, mapAwsError } from "../aws/map-aws-error.ts";
import type { DataKey, EncryptionContext, KeyService } from "./key-service.ts";

/** AWS KMS, or its stand-in at `endpoint.url`. `keyId` may be an id, an ARN, an alias or an alias's ARN. */
export class KmsKeyService implements KeyService {
  private readonly client: KMSClient;

  constructor(endpoint: AwsEndpoint) {
    this.client = new KMSClient(clientOptions(endpoint));
  }

  async generateDataKey(input: { keyId: string; context: EncryptionContext }): Promise<DataKey> {
    const command = new GenerateDataKeyCommand({
      KeyId: input.keyId,
      KeySpec: "AES_256",
      EncryptionContext: { ...input.context },
    });
    const { KeyId, Plaintext, CiphertextBlob } = await this.client.send(command).catch(refuse);
    if (!KeyId || !Plaintext || !CiphertextBlob) throw incomplete();
    return { keyId: KeyId, plaintext: Plaintext, wrapped: CiphertextBlob };
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
    const { Plaintext } = await this.client.send(command).catch(refuse);
    if (!Plaintext) throw incomplete();
    return Plaintext;
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
