import { WATCH_CONFIGS_MAX } from "../../contracts/limits.ts";
import { ConfluxError, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import type { WatchPrincipal } from "../../contracts/delivery/replica-rpc.ts";
import { isConfigName } from "../../domain/config/config-name.ts";
import { CLIENT_MESSAGE_BYTES_MAX, TOLD_NAME_CHARACTERS_MAX } from "./limits.ts";

/**
 * What a watcher is told (api.md, fetch plane). `index` is always the signed token. `reconnect_jitter_ms`: should the
 * connection end, the client waits a random part of it before it comes back. `jitter_ms`: it waits a random part of it
 * before it fetches.
 */
export type ServerMessage =
  | { type: "hello"; index: string; reconnect_jitter_ms: number }
  | { type: "change"; config: string; version: number; index: string; deleted: boolean; jitter_ms: number }
  | { type: "resync"; index: string; jitter_ms: number }
  | { type: "error"; code: ErrorCode; config: string | null };

/** A refusal of something the client said. */
export type ErrorMessage = Extract<ServerMessage, { type: "error" }>;

export interface ClientMessage {
  type: "subscribe" | "unsubscribe";
  configs: string[];
  /** One answer for each name that is none; the others are taken. */
  refused: ErrorMessage[];
}

export const CLOSE_TOKEN_ENDED = 4401;
export const CLOSE_BACK_OFF = 1013;
export const CLOSE_INTERNAL = 1011;

/** The reason of a close with CLOSE_BACK_OFF, which also reaches a client that was never greeted. */
export function backOffReason(why: string, retryMs: number): string {
  return `${why}; retry_ms=${Math.ceil(retryMs)}`;
}

/** What a watcher may name: `tenant/app/env/name`, or `tenant/app/env/*` for a whole namespace. */
export function isWatchPattern(pattern: string): boolean {
  const segments = pattern.split("/");
  return segments.length === 4 && segments.every((s, i) => isConfigName(s) || (i === 3 && s === "*"));
}

/** The configs of a watch request's query. Throws `validation_failed` naming the one at fault. */
export function readWatchedConfigs(query: URLSearchParams): string[] {
  const configs = [...new Set(query.getAll("config"))];
  if (configs.length > WATCH_CONFIGS_MAX) {
    throw new ConfluxError("validation_failed", `at most ${WATCH_CONFIGS_MAX} configs can be watched`);
  }
  const bad = configs.find((config) => !isWatchPattern(config));
  if (bad !== undefined) {
    const message = "must be tenant/app/env/name or tenant/app/env/*";
    throw new ConfluxError("validation_failed", `config ${message}`, {
      errors: [{ path: "config", message }],
    });
  }
  return configs;
}

/** Reads a client's message; an answer instead when it is not one. */
export function readClientMessage(data: string | ArrayBuffer): ClientMessage | ErrorMessage {
  if (typeof data !== "string") return refusal("malformed_request");
  if (data.length > CLIENT_MESSAGE_BYTES_MAX) return refusal("payload_too_large");
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    return refusal("malformed_request");
  }
  const { type, configs } = (parsed ?? {}) as Partial<Record<string, unknown>>;
  if (type !== "subscribe" && type !== "unsubscribe") return refusal("malformed_request");
  if (!Array.isArray(configs) || configs.length > WATCH_CONFIGS_MAX) return refusal("validation_failed");
  const taken: string[] = [];
  const refused: ErrorMessage[] = [];
  for (const config of new Set(configs as unknown[])) {
    if (typeof config !== "string") refused.push(refusal("validation_failed"));
    else if (isWatchPattern(config)) taken.push(config);
    else refused.push(refusal("validation_failed", told(config)));
  }
  return { type, configs: taken, refused };
}

/** The beginning of a text, as JSON that every reader takes: it may have half a character, or be cut in one. */
function told(config: string): string {
  return config.slice(0, TOLD_NAME_CHARACTERS_MAX).toWellFormed();
}

function refusal(code: ErrorCode, config: string | null = null): ErrorMessage {
  return { type: "error", code, config };
}

/** The principal that the edge vouches for. Throws `forbidden` when there is none: nobody else may call a hub. */
export function readPrincipal(header: string | null): WatchPrincipal {
  const refuse = (): ConfluxError =>
    new ConfluxError("forbidden", "a hub takes connections from the edge alone");
  if (header === null) throw refuse();
  let parsed: unknown;
  try {
    parsed = JSON.parse(header);
  } catch {
    throw refuse();
  }
  const { jti, scopes, issued_at_ms, expires_at_ms, region } = (parsed ?? {}) as Partial<
    Record<string, unknown>
  >;
  if (
    typeof jti !== "string" ||
    typeof region !== "string" ||
    typeof expires_at_ms !== "number" ||
    !Array.isArray(scopes) ||
    !scopes.every((scope) => typeof scope === "string")
  ) {
    throw refuse();
  }
  // An edge of an older build does not say when the token was issued: then it counts as old.
  const issuedAtMs = typeof issued_at_ms === "number" ? issued_at_ms : 0;
  return { jti, scopes, issued_at_ms: issuedAtMs, expires_at_ms, region };
}
