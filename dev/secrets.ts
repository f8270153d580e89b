import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { StartRefusal, systemErrorCode } from "./refusal.ts";
import { writeFileAtomically } from "./write-file-atomically.ts";

/** An Ed25519 private key as a JWK with a `kid`. */
export const signingJwkSchema = z.looseObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  kid: z.string(),
  d: z.string(),
  x: z.string(),
});
export type SigningJwk = z.infer<typeof signingJwkSchema>;

const secretsSchema = z.object({
  /** Only in a data directory of an earlier version, until signing-key.ts has sealed it. */
  token_signing_jwk: signingJwkSchema.optional(),
  /** HMAC key of signed indexes, shared by admin and edge. */
  index_key: z.string().min(32),
  /** HS256 key of service tokens for the core. */
  core_service_key: z.string().min(32),
  /** Bearer key between the admin Worker and the password Lambda. */
  lambda_service_key: z.string().min(32),
  /** HMAC key of the digests behind idempotency keys. */
  idempotency_key: z.string().min(32),
  /** Standard Webhooks secret of deployment callbacks. */
  callback_secret: z.string().startsWith("whsec_"),
  postgres_password: z.string().min(16),
  /** Whom the local KMS serves. */
  kms_access_key_id: z.string().min(16),
});
export type Secrets = z.infer<typeof secretsSchema>;

/** The secrets of this stack: made once, kept in a file only its owner can read. */
export function loadSecrets(path: string): Secrets {
  const text = readIfThere(path);
  if (text === null) {
    const secrets = makeSecrets();
    write(path, secrets);
    return secrets;
  }
  try {
    const stored: unknown = JSON.parse(text);
    const known = secretsSchema.safeParse(stored);
    if (known.success) return known.data;
    // A file of a version that had no local KMS.
    const secrets = secretsSchema.parse({ kms_access_key_id: makeAccessKeyId(), ...(stored as object) });
    write(path, secrets);
    return secrets;
  } catch (error) {
    throw new StartRefusal(
      `${path} is damaged (${error instanceof SyntaxError ? "not JSON" : "a secret is missing"}); restore it, or remove the whole data directory to start anew.`,
    );
  }
}

/** Writes the file again without the plaintext signing key. */
export function forgetPlaintextKey(path: string): void {
  const { token_signing_jwk: _, ...rest } = loadSecrets(path);
  write(path, rest);
}

function write(path: string, secrets: Secrets): void {
  writeFileAtomically(path, JSON.stringify(secrets, null, 2));
}

function makeSecrets(): Secrets {
  const key = (): string => randomBytes(32).toString("base64url");
  return secretsSchema.parse({
    index_key: key(),
    core_service_key: key(),
    lambda_service_key: key(),
    idempotency_key: key(),
    callback_secret: `whsec_${randomBytes(32).toString("base64")}`,
    postgres_password: randomBytes(18).toString("base64url"),
    kms_access_key_id: makeAccessKeyId(),
  });
}

/** Letters and digits only, as AWS's are. */
const makeAccessKeyId = (): string => `LOCAL${randomBytes(16).toString("hex").toUpperCase()}`;

/** A file's text; null when there is none. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return null;
    throw error;
  }
}
