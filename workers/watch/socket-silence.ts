import { GREETING_PING_MS, SOCKET_SILENT_MS_MAX } from "./limits.ts";

export interface Silence {
  /** A `ping` this soon after the opening is a greeting. */
  greetingMs: number;
  silentMsMax: number;
}
export const SILENCE: Silence = { greetingMs: GREETING_PING_MS, silentMsMax: SOCKET_SILENT_MS_MAX };

/**
 * Whether a socket's client has vanished without a close: it said `ping` as it went (later than a greeting), and then none
 * for too long. One that never says `ping` is kept until its token ends or the platform finds its connection dead, so
 * that a client which only listens costs nobody a message. `pingedAtMs`: its last `ping`; null when it said none.
 */
export function isSilent(
  { openedAtMs, pingedAtMs, nowMs }: { openedAtMs: number; pingedAtMs: number | null; nowMs: number },
  { greetingMs, silentMsMax }: Silence,
): boolean {
  return pingedAtMs !== null && pingedAtMs - openedAtMs > greetingMs && nowMs - pingedAtMs > silentMsMax;
}
