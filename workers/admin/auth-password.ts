import {
  PASSWORD_SERVICE_AUDIENCE,
  passwordHashAnswerSchema,
  passwordVerifyAnswerSchema,
} from "../../contracts/access/password-service.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { signServiceToken } from "../../adapters/tokens/service-token.ts";

/** How long the function may take: argon2id takes some 50 ms there, a cold start about a second. */
const PASSWORD_TIMEOUT_MS = 5000;
const RETRY_AFTER_S = 1;

export interface PasswordService {
  /**
   * Whether `password` made `hash`. With `hash: null` (no such user) the same work is done and the answer is no. `rehashed`:
   * the hash that should take its place, when it was right and made with older parameters. Rejects with `unavailable` when the
   * function is away.
   */
  verify(input: {
    password: string;
    hash: string | null;
    traceparent: string;
  }): Promise<{ valid: boolean; rehashed: string | null }>;
  /** A hash of a new password, which satisfies `newPasswordSchema`. Rejects like `verify`. */
  hash(input: { password: string; traceparent: string }): Promise<string>;
}

/** The password function at `url`, called with a token signed with `serviceKey`. */
export function createPasswordService(config: { url: string; serviceKey: string }): PasswordService {
  const ask = async (body: object, traceparent: string): Promise<unknown> => {
    const token = await signServiceToken({
      key: config.serviceKey,
      audience: PASSWORD_SERVICE_AUDIENCE,
      subject: "admin",
      nowMs: Date.now(),
    });
    return call(config.url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        traceparent,
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PASSWORD_TIMEOUT_MS),
    });
  };
  return {
    async verify({ password, hash, traceparent }) {
      const answer = await ask({ op: "verify", password, hash }, traceparent);
      const { valid, hash: rehashed } = passwordVerifyAnswerSchema.parse(answer);
      return { valid, rehashed };
    },
    async hash({ password, traceparent }) {
      return passwordHashAnswerSchema.parse(await ask({ op: "hash", password }, traceparent)).hash;
    },
  };
}

async function call(url: string, request: RequestInit): Promise<unknown> {
  let status: number;
  try {
    const response = await fetch(url, request);
    if (response.ok) return await response.json();
    status = response.status;
    await response.body?.cancel();
  } catch (error) {
    throw away(error);
  }
  // Its refusals are about how we call it, not about the user: nothing a caller of ours could put right.
  throw away(new Error(`the password function answered ${status}`));
}

function away(cause: unknown): ConfluxError {
  return new ConfluxError("unavailable", "Passwords cannot be checked at the moment.", {
    cause,
    retryAfterS: RETRY_AFTER_S,
  });
}
