import {
  EXPIRED_SWEEP_MAX,
  IDEMPOTENCY_RESULT_CHARS_MAX,
  IDEMPOTENCY_RESULTS_MAX,
  IDEMPOTENCY_TTL_MS,
} from "../limits.ts";
import type { Command, CommandKind } from "./command.ts";
import type { CommandResults } from "./command-result.ts";
import { type StateChange, stateKey, type StateView } from "./state-view.ts";

/**
 * Results of idempotent writes, kept in the state itself, so that every node and every snapshot has them (C12, R10).
 * Invariant: for each `i/` row there is one `x/` row under its expiry, and `y/` counts exactly the tenant's rows; were
 * the two to part, a result would outlive its day or the bound of a tenant would be wrong.
 */
export interface StoredResult {
  digest: string;
  kind: CommandKind;
  index: number;
  timestamp_ms: number;
  expires_at_ms: number;
  result: CommandResults[CommandKind];
}
interface Kept {
  count: number;
  chars: number;
}
/** Value of an expiry row: which result it is for and how large that is. */
interface ExpiryRow {
  scope: string;
  chars: number;
}
const KEPT_NONE: Kept = { count: 0, chars: 0 };
/** Rows taken at once when room is made for a large result. */
const EVICT_PAGE = 64;

/** The live result kept for the command's key, or null. An expired one counts as none. */
export function findResult(
  state: StateView,
  command: Pick<Command, "tenant" | "idempotency">,
  nowMs: number,
): StoredResult | null {
  if (command.idempotency === null) return null;
  const key = stateKey.idempotency(command.tenant, command.idempotency.scope);
  const stored = state.json(key) as StoredResult | undefined;
  return stored !== undefined && stored.expires_at_ms > nowMs ? stored : null;
}

/**
 * Writes that keep the result of a command that succeeded, clear away a few expired ones of its tenant, and drop the
 * oldest when the tenant is over its bounds. Without a key only the clearing is done.
 */
export function keepResult(input: {
  state: StateView;
  command: Command;
  index: number;
  timestampMs: number;
  result: CommandResults[CommandKind];
  limits?: { resultsMax: number; charsMax: number };
}): StateChange[] {
  const { state, command, timestampMs } = input;
  const limits = input.limits ?? {
    resultsMax: IDEMPOTENCY_RESULTS_MAX,
    charsMax: IDEMPOTENCY_RESULT_CHARS_MAX,
  };
  const tenant = command.tenant;
  const before = (state.json(stateKey.idempotencyCount(tenant)) as Kept | undefined) ?? KEPT_NONE;
  const kept = { ...before };
  const removed = new Set<string>();
  const changes: StateChange[] = [];
  const remove = (key: string, row: ExpiryRow): void => {
    if (removed.has(row.scope)) return;
    removed.add(row.scope);
    changes.push({ op: "delete", key }, { op: "delete", key: stateKey.idempotency(tenant, row.scope) });
    kept.count -= 1;
    kept.chars -= row.chars;
  };
  const prefix = stateKey.idempotencyExpiryPrefix(tenant);
  for (const { key, value } of state.scan(prefix, { limit: EXPIRED_SWEEP_MAX })) {
    if (expiryOf(key, prefix) > timestampMs) break;
    remove(key, value as ExpiryRow);
  }
  if (command.idempotency !== null) {
    const { scope, digest } = command.idempotency;
    const stored: StoredResult = {
      digest,
      kind: command.kind,
      index: input.index,
      timestamp_ms: timestampMs,
      expires_at_ms: timestampMs + IDEMPOTENCY_TTL_MS,
      result: input.result,
    };
    const chars = JSON.stringify(stored).length;
    const expired = state.json(stateKey.idempotency(tenant, scope)) as StoredResult | undefined;
    if (expired !== undefined) {
      const key = stateKey.idempotencyExpiry(tenant, expired.expires_at_ms, scope);
      const row = state.json(key) as ExpiryRow | undefined;
      if (row !== undefined) remove(key, row);
    }
    kept.count += 1;
    kept.chars += chars;
    const over = (): boolean => kept.count > limits.resultsMax || kept.chars > limits.charsMax;
    evictOldest(state, prefix, () => over() && kept.count > 1, remove);
    changes.push(
      { op: "put_json", key: stateKey.idempotency(tenant, scope), value: stored },
      {
        op: "put_json",
        key: stateKey.idempotencyExpiry(tenant, stored.expires_at_ms, scope),
        value: { scope, chars } satisfies ExpiryRow,
      },
    );
  }
  if (kept.count !== before.count || kept.chars !== before.chars) {
    changes.push({ op: "put_json", key: stateKey.idempotencyCount(tenant), value: kept });
  }
  return changes;
}

function evictOldest(
  state: StateView,
  prefix: string,
  wanted: () => boolean,
  remove: (key: string, row: ExpiryRow) => void,
): void {
  let after: string | undefined;
  while (wanted()) {
    const page = [...state.scan(prefix, { limit: EVICT_PAGE, ...(after === undefined ? {} : { after }) })];
    if (page.length === 0) return;
    for (const { key, value } of page) {
      if (!wanted()) return;
      remove(key, value as ExpiryRow);
    }
    after = page.at(-1)?.key;
  }
}

function expiryOf(key: string, prefix: string): number {
  return Number(key.slice(prefix.length).split("/", 1)[0]);
}
