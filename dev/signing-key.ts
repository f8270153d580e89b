/**
 * The token signing key at rest. Invariant: the private key is on disk only inside an envelope that KMS must open, and
 * a plaintext key of an earlier version is removed only after its envelope was read back and opened. A crash at any
 * point leaves the plaintext, or both, or the envelope; each of them is finished by the next start.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Envelope, envelopeSchema, openEnvelope, sealEnvelope } from "../adapters/kms/envelope.ts";
import type { KeyService } from "../adapters/kms/key-service.ts";
import { ConfluxError } from "../contracts/problem/error-codes.ts";
import type { DataPaths } from "./data-directory.ts";
import { TOKEN_KEY_ALIAS } from "./names.ts";
import { StartRefusal } from "./refusal.ts";
import {
  type Secrets,
  type SigningJwk,
  forgetPlaintextKey,
  readIfThere,
  signingJwkSchema,
} from "./secrets.ts";
import { writeFileAtomically } from "./write-file-atomically.ts";

const CONTEXT = { purpose: "token-signing-key" };

/**
 * The private key that signs tokens, as a JWK: opened, or made and sealed at the first start. Throws a `StartRefusal`
 * when KMS is away or does not open it.
 */
export async function loadSigningKey(input: {
  paths: Pick<DataPaths, "signingKey" | "secrets">;
  secrets: Secrets;
  keys: KeyService;
}): Promise<SigningJwk> {
  const { paths, secrets, keys } = input;
  const path = paths.signingKey;
  const plaintext = secrets.token_signing_jwk;
  try {
    if (readIfThere(path) === null) {
      const jwk = Buffer.from(JSON.stringify(plaintext ?? makeSigningJwk()));
      const envelope = await sealEnvelope(keys, { keyId: TOKEN_KEY_ALIAS, context: CONTEXT, plaintext: jwk });
      writeFileAtomically(path, JSON.stringify(envelope, null, 2));
    }
    const opened = await openEnvelope(keys, readEnvelope(path), CONTEXT);
    const jwk = signingJwkSchema.parse(JSON.parse(Buffer.from(opened).toString()));
    if (plaintext !== undefined) removePlaintext(paths, plaintext, jwk);
    return jwk;
  } catch (error) {
    throw asRefusal(error, path);
  }
}

function removePlaintext(
  paths: { secrets: string; signingKey: string },
  old: SigningJwk,
  sealed: SigningJwk,
) {
  if (old.d !== sealed.d) {
    throw new StartRefusal(
      `${paths.secrets} and ${paths.signingKey} hold different signing keys; remove the one that is not in use.`,
    );
  }
  forgetPlaintextKey(paths.secrets);
}

function asRefusal(error: unknown, path: string): unknown {
  if (!(error instanceof ConfluxError)) return error;
  if (error.code === "unavailable")
    return new StartRefusal(`The KMS does not answer, so ${path} stays shut.`);
  if (error.code === "not_found")
    return new StartRefusal(`The KMS has no key ${TOKEN_KEY_ALIAS}; make it there.`);
  return new StartRefusal(
    `${path} cannot be opened by the keys of this KMS; restore both, or remove the whole data directory to start anew.`,
  );
}

function readEnvelope(path: string): Envelope {
  try {
    return envelopeSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new ConfluxError("validation_failed", "The file holds no envelope.", { cause });
  }
}

function makeSigningJwk(): SigningJwk {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return signingJwkSchema.parse({ ...jwk, kid: randomBytes(8).toString("hex"), alg: "EdDSA", use: "sig" });
}
