import { SignJWT } from "jose";
import {
  CORE_AUDIENCE,
  CORE_ISSUER,
  SERVICE_TOKEN_TTL_S,
  type ServiceRole,
} from "../../contracts/core/core-api.ts";

/** A token is replaced this long before it expires, so that none expires on its way. */
const RENEW_BEFORE_MS = 60_000;

/** Mints a caller's service tokens and keeps one until it is nearly used up. */
export class ServiceTokens {
  readonly #key: Uint8Array;
  readonly #role: ServiceRole;
  readonly #now: () => number;
  #token = "";
  #expiresAtMs = 0;

  constructor(serviceKey: string, role: ServiceRole, now: () => number) {
    this.#key = new TextEncoder().encode(serviceKey);
    this.#role = role;
    this.#now = now;
  }

  /**
   * A valid token. Two calls at once may each mint one: in a Worker a request must not wait for another request's
   * promise, so nothing is shared but the finished token.
   */
  async token(): Promise<string> {
    const nowMs = this.#now();
    if (this.#expiresAtMs - RENEW_BEFORE_MS > nowMs) return this.#token;
    const issuedAtS = Math.floor(nowMs / 1000);
    const token = await new SignJWT()
      .setProtectedHeader({ alg: "HS256" })
      .setIssuer(CORE_ISSUER)
      .setAudience(CORE_AUDIENCE)
      .setSubject(this.#role)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + SERVICE_TOKEN_TTL_S)
      .sign(this.#key);
    this.#token = token;
    this.#expiresAtMs = (issuedAtS + SERVICE_TOKEN_TTL_S) * 1000;
    return token;
  }
}
