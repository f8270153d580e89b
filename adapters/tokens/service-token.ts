import { errors, jwtVerify, SignJWT } from "jose";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { TOKEN_ISSUER } from "../../contracts/access/tokens.ts";

const SERVICE_ALGORITHM = "HS256";
const SERVICE_TOKEN_TTL_S = 60;
/** A key shorter than the hash is weaker than it (RFC 7518, 3.2). */
const SERVICE_KEY_BYTES_MIN = 32;

/** A token by which one service of ours calls another: audience, a minute of life, the shared service key. */
export function signServiceToken(input: {
  key: string;
  audience: string;
  subject: string;
  nowMs: number;
}): Promise<string> {
  const issuedAtS = Math.floor(input.nowMs / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: SERVICE_ALGORITHM })
    .setIssuer(TOKEN_ISSUER)
    .setAudience(input.audience)
    .setSubject(input.subject)
    .setIssuedAt(issuedAtS)
    .setExpirationTime(issuedAtS + SERVICE_TOKEN_TTL_S)
    .sign(keyBytes(input.key));
}

/** Checks such a token from an `Authorization` header; `unauthenticated` when it is missing or does not hold. */
export async function verifyServiceToken(
  authorization: string | undefined,
  input: { key: string; audience: string; nowMs: number },
): Promise<void> {
  const token = /^Bearer ([\w.-]+)$/i.exec(authorization ?? "")?.[1];
  if (token === undefined) throw new ConfluxError("unauthenticated", "A service token is required.");
  try {
    await jwtVerify(token, keyBytes(input.key), {
      algorithms: [SERVICE_ALGORITHM],
      issuer: TOKEN_ISSUER,
      audience: input.audience,
      currentDate: new Date(input.nowMs),
      requiredClaims: ["exp", "iat", "sub"],
    });
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    throw new ConfluxError("unauthenticated", "The service token is not valid here.", { cause: error });
  }
}

function keyBytes(key: string): Uint8Array {
  const bytes = new TextEncoder().encode(key);
  if (bytes.byteLength < SERVICE_KEY_BYTES_MIN) {
    throw new RangeError(`the service key must have at least ${SERVICE_KEY_BYTES_MIN} bytes`);
  }
  return bytes;
}
