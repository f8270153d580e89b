/**
 * The keys of the local KMS and what is done with them: AES-256-GCM as KMS does it, on 0600 files instead of in
 * hardware. Invariant: a ciphertext opens only under the key and version its header names, whole, and with the encryption
 * context it was made with, because header and context are the additional data. Old versions of a key are kept for ever:
 * without them what they wrapped would be lost.
 */
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { contextText, type EncryptionContext } from "../contracts/encryption/encryption-context.ts";
import { systemErrorCode } from "./refusal.ts";
import { writeFileAtomically } from "./write-file-atomically.ts";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const GCM = { authTagLength: TAG_BYTES };
/** Format (1), key id (16), version (4, big-endian), then iv, ciphertext and tag. */
const BLOB_FORMAT = 1;
const KEY_ID_AT = 1;
const VERSION_AT = 17;
const HEADER_BYTES = 21;
const BLOB_BYTES_MIN = HEADER_BYTES + IV_BYTES + TAG_BYTES;
const ARN_PREFIX = "arn:aws:kms:us-east-1:000000000000:";

const keySchema = z.object({
  key_id: z.uuid(),
  alias: z.string().startsWith("alias/"),
  created_at_ms: z.number(),
  /** Version n is at n - 1; the last one encrypts. */
  versions: z.array(z.object({ material: z.string(), created_at_ms: z.number() })).min(1),
});
const ringSchema = z.object({ keys: z.array(keySchema) });
export type RingKey = z.infer<typeof keySchema>;

/** A refusal by KMS's own name for it. */
export class KmsRefusal extends Error {
  readonly type: string;

  constructor(type: string, message = "") {
    super(message);
    this.type = type;
  }
}

export const keyArn = (key: RingKey): string => `${ARN_PREFIX}key/${key.key_id}`;

export class Keyring {
  private readonly path: string;
  private readonly nowMs: () => number;
  private readonly keys: RingKey[];

  /** Opens the ring at `path` and makes a key for each of `aliases` that has none. Throws for a damaged file. */
  constructor(input: { path: string; aliases: readonly string[]; nowMs: () => number }) {
    this.path = input.path;
    this.nowMs = input.nowMs;
    this.keys = readRing(input.path);
    const missing = input.aliases.filter((alias) => !this.keys.some((key) => key.alias === alias));
    const createdAtMs = this.nowMs();
    for (const alias of missing) {
      const versions = [this.newVersion()];
      this.keys.push({ key_id: randomUUID(), alias, created_at_ms: createdAtMs, versions });
    }
    if (missing.length > 0) this.save();
  }

  /** The key of an id, ARN, alias or alias's ARN. NotFoundException when there is none. */
  find(name: string): RingKey {
    const short = name.startsWith(ARN_PREFIX) ? name.slice(ARN_PREFIX.length).replace(/^key\//, "") : name;
    const key = this.keys.find((k) => k.key_id === short || k.alias === short);
    if (!key) throw new KmsRefusal("NotFoundException", `Key '${name}' does not exist`);
    return key;
  }

  encrypt(key: RingKey, plaintext: Uint8Array, context: EncryptionContext): Buffer {
    const version = key.versions.length;
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt8(BLOB_FORMAT, 0);
    Buffer.from(key.key_id.replaceAll("-", ""), "hex").copy(header, KEY_ID_AT);
    header.writeUInt32BE(version, VERSION_AT);
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, materialOf(key, version), iv, GCM).setAAD(
      additionalData(header, context),
    );
    return Buffer.concat([header, iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }

  /** InvalidCiphertextException for whatever does not open; `only`, when given, must be its key. */
  decrypt(
    blob: Buffer,
    context: EncryptionContext,
    only: RingKey | null,
  ): { key: RingKey; plaintext: Buffer } {
    const key = this.keyOf(blob);
    if (only !== null && only.key_id !== key.key_id) throw new KmsRefusal("IncorrectKeyException");
    const header = blob.subarray(0, HEADER_BYTES);
    const iv = blob.subarray(HEADER_BYTES, HEADER_BYTES + IV_BYTES);
    try {
      const decipher = createDecipheriv(ALGORITHM, materialOf(key, header.readUInt32BE(VERSION_AT)), iv, GCM)
        .setAAD(additionalData(header, context))
        .setAuthTag(blob.subarray(-TAG_BYTES));
      const sealed = blob.subarray(HEADER_BYTES + IV_BYTES, -TAG_BYTES);
      return { key, plaintext: Buffer.concat([decipher.update(sealed), decipher.final()]) };
    } catch (cause) {
      if (cause instanceof KmsRefusal) throw cause;
      // The cipher says only that it does not verify.
      throw new KmsRefusal("InvalidCiphertextException");
    }
  }

  /** From now on the key encrypts with new material; what is encrypted already still opens. */
  rotate(key: RingKey): void {
    key.versions.push(this.newVersion());
    this.save();
  }

  private keyOf(blob: Buffer): RingKey {
    const id = blob.subarray(KEY_ID_AT, VERSION_AT).toString("hex");
    const isOurs = blob.byteLength >= BLOB_BYTES_MIN && blob.readUInt8(0) === BLOB_FORMAT;
    const key = isOurs ? this.keys.find((k) => k.key_id.replaceAll("-", "") === id) : undefined;
    if (!key) throw new KmsRefusal("InvalidCiphertextException");
    return key;
  }

  private newVersion() {
    return { material: randomBytes(KEY_BYTES).toString("base64"), created_at_ms: this.nowMs() };
  }

  private save(): void {
    writeFileAtomically(this.path, JSON.stringify({ keys: this.keys }));
  }
}

function materialOf(key: RingKey, version: number): Buffer {
  const found = key.versions[version - 1];
  if (!found) throw new KmsRefusal("InvalidCiphertextException");
  return Buffer.from(found.material, "base64");
}

const additionalData = (header: Buffer, context: EncryptionContext): Buffer =>
  Buffer.concat([header, Buffer.from(contextText(context))]);

function readRing(path: string): RingKey[] {
  try {
    return ringSchema.parse(JSON.parse(readFileSync(path, "utf8"))).keys;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw new Error(`${path} is damaged; what its keys wrapped cannot be opened without it.`, {
      cause: error,
    });
  }
}
