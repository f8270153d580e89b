import type { RestoredState } from "../backup/backup-origin.ts";
import { configChanged } from "../config/config-changed.ts";
import type { Config } from "../config/config.ts";
import type { ConfigChanged, TokenRevoked } from "./feed-entry.ts";
import { collectInline, type InlineBudget } from "./inline-blobs.ts";
import { scanAll } from "./scan-all.ts";
import { stateKey, type StateView } from "./state-view.ts";

export interface EdgeSnapshotPage {
  configs: ConfigChanged[];
  revocations: TokenRevoked[];
  /** Tokens issued before are refused; 0 when none are. */
  tokens_not_before_ms: number;
  revisions: Record<string, number>;
  blobs: Map<string, Uint8Array>;
  next_cursor: string | null;
}

/**
 * One page of everything the edge must know, in order of name. The first page (no cursor) has the revocations. A page
 * closes early at `charsMax`, but never without a config when there is one.
 */
export function readEdgeSnapshot(
  state: StateView,
  input: { cursor: string | null; limit: number; charsMax: number; inline: InlineBudget | null },
): EdgeSnapshotPage {
  const prefix = stateKey.configByNamePrefix;
  const page: EdgeSnapshotPage = {
    configs: [],
    revocations: input.cursor === null ? readRevocations(state) : [],
    tokens_not_before_ms:
      (state.json(stateKey.restored) as RestoredState | undefined)?.tokens_not_before_ms ?? 0,
    revisions: {},
    blobs: new Map(),
    next_cursor: null,
  };
  let left = input.charsMax;
  let last = "";
  const rows = state.scan(prefix, {
    limit: input.limit + 1,
    ...(input.cursor === null ? {} : { after: prefix + input.cursor }),
  });
  for (const { key, value } of rows) {
    const config = state.json(stateKey.config(value as string)) as Config;
    const event = configChanged(state, config);
    const chars = JSON.stringify(event).length;
    if (page.configs.length === input.limit || (page.configs.length > 0 && chars > left)) {
      return { ...page, next_cursor: last };
    }
    left -= chars;
    page.configs.push(event);
    page.revisions[config.id] = config.revision;
    if (input.inline !== null) left -= collectInline(event, input.inline, left, page.blobs);
    last = key.slice(prefix.length);
  }
  return page;
}

function readRevocations(state: StateView): TokenRevoked[] {
  return [...scanAll(state, stateKey.revocationPrefix)].map(({ value }) => value as TokenRevoked);
}
