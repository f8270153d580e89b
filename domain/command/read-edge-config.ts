import type { RestoredState } from "../backup/backup-origin.ts";
import type { Namespace } from "../config/config-name.ts";
import { configChanged } from "../config/config-changed.ts";
import { readConfigByName } from "../config/read-configs.ts";
import type { ConfigChanged } from "./feed-entry.ts";
import { collectInline, type InlineBudget } from "./inline-blobs.ts";
import { stateKey, type StateView } from "./state-view.ts";

export interface EdgeConfig {
  /** As the feed tells it; null when there is no such config. */
  config: ConfigChanged | null;
  /** Whether the token of this id is revoked. */
  token_revoked: boolean;
  /** Tokens issued before are refused; 0 when none are. */
  tokens_not_before_ms: number;
  blobs: Map<string, Uint8Array>;
}

/** What the edge must know to answer one fetch by itself, when no replica tells it: the config and the token's standing. */
export function readEdgeConfig(
  state: StateView,
  input: {
    namespace: Namespace;
    name: string;
    jti: string;
    charsMax: number;
    inline: InlineBudget | null;
  },
): EdgeConfig {
  const found = readConfigByName(state, input.namespace, input.name);
  const config = found.ok ? configChanged(state, found.config) : null;
  const blobs = new Map<string, Uint8Array>();
  if (config !== null && input.inline !== null) collectInline(config, input.inline, input.charsMax, blobs);
  const restored = state.json(stateKey.restored) as RestoredState | undefined;
  return {
    config,
    token_revoked: state.hasKey(stateKey.revocation(input.jti)),
    tokens_not_before_ms: restored?.tokens_not_before_ms ?? 0,
    blobs,
  };
}
