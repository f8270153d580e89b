import { createHmac } from "node:crypto";
import { jwtVerify } from "jose";
import {
  CORE_AUDIENCE,
  CORE_ISSUER,
  SERVICE_ROLES,
  SERVICE_TOKEN_TTL_S,
  type ServiceRole,
} from "../../contracts/core/core-api.ts";
import { formatLeaderProof, LEADER_PROOF_TTL_S, leaderProofText } from "../../contracts/core/leader-proof.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/** Verified tokens remembered until they expire, so that a busy caller costs one check a token. */
const TOKEN_CACHE_MAX = 1024;
const CLOCK_TOLERANCE_S = 5;
/** HS256 wants a key as long as its hash. */
export const SERVICE_KEY_BYTES_MIN = 32;

/** Checks the service tokens of requests, and signs with their key where the leader is. `serviceKey` has at least SERVICE_KEY_BYTES_MIN bytes. */
export class ServiceAuth {
  readonly #key: Uint8Array;
  readonly #now: () => number;
  /** By the whole header. */
  readonly #verified = new Map<string, { role: ServiceRole; expiresAtMs: number }>();

  constructor(serviceKey: string, now: () => number = Date.now) {
    this.#key = new TextEncoder().encode(serviceKey);
    this.#now = now;
  }

  /**
   * The caller's role, at once for a token seen before. Throws or rejects with `unauthenticated` for one that is missing,
   * forged, expired, too long or of no known role.
   */
  roleOf(authorization: string | undefined): ServiceRole | Promise<ServiceRole> {
    const known = authorization === undefined ? undefined : this.#verified.get(authorization);
    const nowMs = this.#now();
    if (known !== undefined && known.expiresAtMs > nowMs) return known.role;
    return this.#verifyOnce(authorization, nowMs);
  }

  /** The proof that the leader is at `url`, for callers that were never told of it. */
  proveLeader(leaderId: string, url: string): string {
    const expiresAtS = Math.floor(this.#now() / 1000) + LEADER_PROOF_TTL_S;
    const mac = createHmac("sha256", this.#key).update(leaderProofText({ leaderId, url, expiresAtS }));
    return formatLeaderProof(expiresAtS, mac.digest("hex"));
  }

  async #verifyOnce(authorization: string | undefined, nowMs: number): Promise<ServiceRole> {
    const [header, token] = /^Bearer ([\w.-]+)$/.exec(authorization ?? "") ?? [];
    if (header === undefined || token === undefined) {
      throw new ConfluxError("unauthenticated", "a service token is required");
    }
    const { role, expiresAtMs } = await this.#verify(token, nowMs);
    if (this.#verified.size >= TOKEN_CACHE_MAX) this.#verified.clear();
    this.#verified.set(header, { role, expiresAtMs });
    return role;
  }

  async #verify(token: string, nowMs: number): Promise<{ role: ServiceRole; expiresAtMs: number }> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ["HS256"],
        issuer: CORE_ISSUER,
        audience: CORE_AUDIENCE,
        maxTokenAge: SERVICE_TOKEN_TTL_S,
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(nowMs),
        requiredClaims: ["exp", "iat"],
      });
      const role = SERVICE_ROLES.find((r) => r === payload.sub);
      const { exp = 0, iat = 0 } = payload;
      if (role === undefined || exp - iat > SERVICE_TOKEN_TTL_S) {
        throw new ConfluxError("unauthenticated", "the service token has no known role or lives too long");
      }
      return { role, expiresAtMs: exp * 1000 };
    } catch (cause) {
      if (cause instanceof ConfluxError) throw cause;
      throw new ConfluxError("unauthenticated", "the service token is not valid", { cause });
    }
  }
}
