import { randomBytes } from "node:crypto";
import { z } from "zod";
import { KmsRefusal, type Keyring, type RingKey, keyArn } from "./kms-keyring.ts";

/** KMS's own limits. */
const PLAINTEXT_BYTES_MAX = 4096;
const BLOB_BYTES_MAX = 6144;
const DATA_KEY_BYTES_MAX = 1024;

const contextSchema = z.record(z.string(), z.string()).default({});
const bytesSchema = (bytesMax: number) =>
  z
    .base64()
    .transform((text) => Buffer.from(text, "base64"))
    .refine((value) => value.byteLength > 0 && value.byteLength <= bytesMax);
const keyIdSchema = z.string().min(1).max(2048);
const ALGORITHM = "SYMMETRIC_DEFAULT";
const algorithmSchema = z.literal(ALGORITHM).optional();

const requests = {
  DescribeKey: z.object({ KeyId: keyIdSchema }),
  RotateKeyOnDemand: z.object({ KeyId: keyIdSchema }),
  Encrypt: z.object({
    KeyId: keyIdSchema,
    Plaintext: bytesSchema(PLAINTEXT_BYTES_MAX),
    EncryptionContext: contextSchema,
    EncryptionAlgorithm: algorithmSchema,
  }),
  Decrypt: z.object({
    KeyId: keyIdSchema.optional(),
    CiphertextBlob: bytesSchema(BLOB_BYTES_MAX),
    EncryptionContext: contextSchema,
    EncryptionAlgorithm: algorithmSchema,
  }),
  ReEncrypt: z.object({
    CiphertextBlob: bytesSchema(BLOB_BYTES_MAX),
    SourceKeyId: keyIdSchema.optional(),
    SourceEncryptionContext: contextSchema,
    DestinationKeyId: keyIdSchema,
    DestinationEncryptionContext: contextSchema,
  }),
  GenerateDataKey: z
    .object({
      KeyId: keyIdSchema,
      KeySpec: z.enum(["AES_256", "AES_128"]).optional(),
      NumberOfBytes: z.number().int().min(1).max(DATA_KEY_BYTES_MAX).optional(),
      EncryptionContext: contextSchema,
    })
    .refine((r) => (r.KeySpec === undefined) !== (r.NumberOfBytes === undefined)),
};

type Operation = keyof typeof requests;
const isOperation = (name: string): name is Operation => Object.hasOwn(requests, name);

type Request<O extends Operation> = z.infer<(typeof requests)[O]>;

const operations: { [O in Operation]: (ring: Keyring, request: Request<O>) => Record<string, unknown> } = {
  DescribeKey: (ring, { KeyId }) => ({ KeyMetadata: describe(ring.find(KeyId)) }),
  RotateKeyOnDemand: (ring, { KeyId }) => {
    const key = ring.find(KeyId);
    ring.rotate(key);
    return { KeyId: keyArn(key) };
  },
  Encrypt: (ring, { KeyId, Plaintext, EncryptionContext }) => {
    const key = ring.find(KeyId);
    const blob = ring.encrypt(key, Plaintext, EncryptionContext);
    return { KeyId: keyArn(key), CiphertextBlob: text(blob), EncryptionAlgorithm: ALGORITHM };
  },
  Decrypt: (ring, { KeyId, CiphertextBlob, EncryptionContext }) => {
    const only = KeyId === undefined ? null : ring.find(KeyId);
    const { key, plaintext } = ring.decrypt(CiphertextBlob, EncryptionContext, only);
    return { KeyId: keyArn(key), Plaintext: text(plaintext), EncryptionAlgorithm: ALGORITHM };
  },
  ReEncrypt: (ring, request) => {
    const only = request.SourceKeyId === undefined ? null : ring.find(request.SourceKeyId);
    const to = ring.find(request.DestinationKeyId);
    const opened = ring.decrypt(request.CiphertextBlob, request.SourceEncryptionContext, only);
    const blob = ring.encrypt(to, opened.plaintext, request.DestinationEncryptionContext);
    return { KeyId: keyArn(to), SourceKeyId: keyArn(opened.key), CiphertextBlob: text(blob) };
  },
  GenerateDataKey: (ring, { KeyId, KeySpec, NumberOfBytes, EncryptionContext }) => {
    const key = ring.find(KeyId);
    const plaintext = randomBytes(NumberOfBytes ?? (KeySpec === "AES_128" ? 16 : 32));
    const blob = ring.encrypt(key, plaintext, EncryptionContext);
    return { KeyId: keyArn(key), Plaintext: text(plaintext), CiphertextBlob: text(blob) };
  },
};

/**
 * Answers one call of the KMS API as its JSON: the operation's name (of `X-Amz-Target`) and its body. Throws a
 * `KmsRefusal` with the name KMS has for what is wrong.
 */
export function callKms(ring: Keyring, operation: string, body: unknown): Record<string, unknown> {
  if (!isOperation(operation)) throw new KmsRefusal("UnknownOperationException", `${operation} is not here`);
  // What `parse` answers for a name is what the function of that name takes.
  const run: (ring: Keyring, request: never) => Record<string, unknown> = operations[operation];
  return run(ring, parse(operation, body) as never);
}

function parse<O extends Operation>(operation: O, body: unknown): Request<O> {
  const parsed = requests[operation].safeParse(body);
  if (parsed.success) return parsed.data as Request<O>;
  // The message names fields only: a value may be a secret.
  const fields = parsed.error.issues.map((issue) => issue.path.join(".") || "the request");
  throw new KmsRefusal("ValidationException", `${fields.join(", ")} is not valid`);
}

function describe(key: RingKey) {
  return {
    KeyId: key.key_id,
    Arn: keyArn(key),
    AWSAccountId: "000000000000",
    CreationDate: key.created_at_ms / 1000,
    Enabled: true,
    KeyState: "Enabled",
    KeyUsage: "ENCRYPT_DECRYPT",
    KeySpec: ALGORITHM,
    EncryptionAlgorithms: [ALGORITHM],
    KeyManager: "CUSTOMER",
    Origin: "AWS_KMS",
    Description: `${key.alias}, version ${key.versions.length}`,
  };
}

const text = (value: Buffer): string => value.toString("base64");
