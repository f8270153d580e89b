import { REFRESH_REPEAT_MS, SESSION_IDLE_MS_MAX, SESSION_LIFETIME_MS_MAX } from "../limits.ts";

/**
 * One session of a user: the line of refresh tokens that came out of each other. Of each only the digest is kept, and at
 * any time one is good.
 */
export interface SessionFamily {
  /** Digest of the token that is good. */
  current: string;
  /** Digest of the token it was exchanged for, or null at the beginning. */
  previous: string | null;
  /** Until then `previous` answers `current` again. */
  repeatUntilMs: number;
  startedAtMs: number;
  /** When the session ends unless it is refreshed before. */
  expiresAtMs: number;
}

/**
 * What presenting a token means. `exchange`: it ends and its successor is good. `repeat`: it was just exchanged and its
 * owner may not have got the answer, or asked twice at once; the same successor is answered. `reuse`: it ended before, so
 * two parties hold the line, and the whole of it ends. `expired`: the session has ended by itself.
 */
export type RefreshVerdict = "exchange" | "repeat" | "reuse" | "expired";

type Presented = "current" | "previous" | "older";

/** By which token of the line was presented and whether the time to ask again is over. */
const VERDICTS: Record<Presented, { inTime: RefreshVerdict; late: RefreshVerdict }> = {
  current: { inTime: "exchange", late: "exchange" },
  previous: { inTime: "repeat", late: "reuse" },
  older: { inTime: "reuse", late: "reuse" },
};

/** `digest` is that of a token that we signed for this family. */
export function judgeRefresh(family: SessionFamily, digest: string, nowMs: number): RefreshVerdict {
  if (nowMs >= family.expiresAtMs) return "expired";
  const presented: Presented =
    digest === family.current ? "current" : digest === family.previous ? "previous" : "older";
  return VERDICTS[presented][nowMs <= family.repeatUntilMs ? "inTime" : "late"];
}

/** The family after an exchange. `isCode`: what was exchanged is the code of a redirect, which may be read over a shoulder: no repeat. */
export function exchangeToken(
  family: SessionFamily,
  successor: string,
  nowMs: number,
  isCode: boolean,
): SessionFamily {
  return {
    current: successor,
    previous: family.current,
    repeatUntilMs: isCode ? 0 : nowMs + REFRESH_REPEAT_MS,
    startedAtMs: family.startedAtMs,
    expiresAtMs: expiryOf(family.startedAtMs, nowMs),
  };
}

/** A family that begins with the token of this digest. */
export function beginFamily(digest: string, nowMs: number): SessionFamily {
  return {
    current: digest,
    previous: null,
    repeatUntilMs: 0,
    startedAtMs: nowMs,
    expiresAtMs: expiryOf(nowMs, nowMs),
  };
}

function expiryOf(startedAtMs: number, nowMs: number): number {
  return Math.min(nowMs + SESSION_IDLE_MS_MAX, startedAtMs + SESSION_LIFETIME_MS_MAX);
}
