import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { StartRefusal, systemErrorCode } from "./refusal.ts";
import { writeFileAtomically } from "./write-file-atomically.ts";

const secretsSchema = z.object({
  /** Ed25519 private key as a JWK with a `kid`: signs client and access tokens. */
  token_signing_jwk: z.looseObject({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    kid: z.string(),
    d: z.string(),
    x: z.string(),
  }),
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
});
export type Secrets = z.infer<typeof secretsSchema>;

/** The secrets of this stack: made once, kept in a file only its owner can read. */
export function loadSecrets(path: string): Secrets {
  const text = readIfThere(path);
  if (text === null) {
    const secrets = makeSecrets();
    writeFileAtomically(path, JSON.stringify(secrets, null, 2));
    return secrets;
  }
  try {
    return secretsSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new StartRefusal(
      `${path} is damaged (${error instanceof SyntaxError ? "not JSON" : "a secret is missing"}); restore it, or remove the whole data directory to start anew.`,
    );
  }
}

function makeSecrets(): Secrets {
  const key = (): string => randomBytes(32).toString("base64url");
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return secretsSchema.parse({
    token_signing_jwk: { ...jwk, kid: randomBytes(8).toString("hex"), alg: "EdDSA", use: "sig" },
    index_key: key(),
    core_service_key: key(),
    lambda_service_key: key(),
    idempotency_key: key(),
    callback_secret: `whsec_${randomBytes(32).toString("base64")}`,
    postgres_password: randomBytes(18).toString("base64url"),
  });
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return null;
    throw error;
  }
}
