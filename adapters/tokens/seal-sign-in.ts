import { EncryptJWT, errors, jwtDecrypt } from "jose";
import { z } from "zod";
import { OIDC_SIGN_IN_MS_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

const KEY_ALGORITHM = "dir";
const CONTENT_ALGORITHM = "A256GCM";

/** What the browser keeps for us between the start of a sign-in and its callback, unreadable to it. */
export interface SignInState {
  state: string;
  nonce: string;
  verifier: string;
  /** Where to go in the end; null: answer the tokens themselves. */
  redirect: string | null;
}
const signInState = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  redirect: z.string().nullable(),
});

/** Seals the state for `OIDC_SIGN_IN_MS_MAX`. */
export function sealSignIn(key: Uint8Array, state: SignInState, nowMs: number): Promise<string> {
  return new EncryptJWT({ ...state })
    .setProtectedHeader({ alg: KEY_ALGORITHM, enc: CONTENT_ALGORITHM })
    .setExpirationTime(Math.floor((nowMs + OIDC_SIGN_IN_MS_MAX) / 1000))
    .encrypt(key);
}

/** Opens it; `unauthenticated` when it is missing, older, altered, or not ours. */
export async function openSignIn(
  key: Uint8Array,
  sealed: string | undefined,
  nowMs: number,
): Promise<SignInState> {
  if (sealed === undefined) throw notBegun();
  try {
    const { payload } = await jwtDecrypt(sealed, key, {
      keyManagementAlgorithms: [KEY_ALGORITHM],
      contentEncryptionAlgorithms: [CONTENT_ALGORITHM],
      currentDate: new Date(nowMs),
      requiredClaims: ["exp"],
    });
    return signInState.parse(payload);
  } catch (error) {
    if (error instanceof errors.JOSEError) throw notBegun(error);
    throw error;
  }
}

function notBegun(cause?: unknown): ConfluxError {
  return new ConfluxError("unauthenticated", "No sign-in was begun in this browser, or too long ago.", {
    cause,
  });
}
