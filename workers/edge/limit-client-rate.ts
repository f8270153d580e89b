import type { VerifiedClientToken } from "../../adapters/tokens/verify-client-token.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { clientKey, RATE_WINDOW_MS } from "./client-rates.ts";
import { withDeadline } from "./deadline.ts";
import type { Exchange } from "./exchange.ts";

/** How long the location's counter may take; a request is not held up for it. */
const COUNTER_DEADLINE_MS = 200;

/**
 * Counts a request of the client (a token at an address: fleets share tokens) and throws `rate_limited` when it sends more
 * than the binding allows (E8). Null when nothing must be waited for. A counter that is away refuses nobody.
 */
export function limitClientRate(exchange: Exchange, token: VerifiedClientToken): Promise<void> | null {
  const { counter, rates } = exchange.isolate;
  if (counter === null) return null;
  const { nowMs, headers } = exchange;
  const verdict = rates.count(token.jti, headers.clientAddress, nowMs);
  if (verdict === "refuse") throw tooMany(nowMs);
  return verdict === "pass" ? null : ask(exchange, counter, token.jti);
}

async function ask(exchange: Exchange, counter: RateLimit, jti: string): Promise<void> {
  const { isolate, traceId, headers } = exchange;
  let isAllowed = true;
  try {
    const asked = withDeadline(
      counter.limit({ key: clientKey(jti, headers.clientAddress) }),
      COUNTER_DEADLINE_MS,
      "the rate counter",
    );
    isAllowed = (await asked).success;
  } catch (error) {
    isolate.log({ level: "warn", message: "a client's rate could not be counted", trace_id: traceId, error });
  }
  if (isAllowed) return;
  isolate.rates.refuse(jti, headers.clientAddress);
  throw tooMany(Date.now());
}

function tooMany(nowMs: number): ConfluxError {
  const retryAfterS = Math.ceil((RATE_WINDOW_MS - (nowMs % RATE_WINDOW_MS)) / 1000);
  return new ConfluxError("rate_limited", "this client sends too many requests", { retryAfterS });
}
