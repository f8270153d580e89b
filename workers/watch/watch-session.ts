import type { HubChange, WatchPrincipal } from "../../contracts/delivery/replica-rpc.ts";
import { scopesAllowRead } from "../../domain/access/scope.ts";
import { MessageRate } from "./message-rate.ts";
import type { ServerMessage } from "./watch-protocol.ts";

/** How a watcher is reached: a WebSocket or an event stream. */
export interface WatchChannel {
  /**
   * Sends a message, encoded once for all who get it. `resumeFrom`: the token from which the client may resume once it
   * has this message, null when that does not change. False when the watcher is gone.
   */
  send(text: string, resumeFrom: string | null): boolean;
  /** Ends the connection; idempotent. */
  close(code: number, reason: string): void;
  /** Keeps what the session must know after the hub was put to sleep. False when that is too large. */
  save(state: SessionState): boolean;
}

/** What a session is made of again when its hub wakes up. */
export interface SessionState {
  principal: WatchPrincipal;
  configs: string[];
  /** The watcher knows everything up to this index. */
  from: number;
  /** False while what came after `since` is still being looked up. */
  caught_up: boolean;
  opened_at_ms: number;
}

/** One watcher of a hub. */
export class WatchSession {
  readonly principal: WatchPrincipal;
  readonly configs: Set<string>;
  readonly channel: WatchChannel;
  from: number;
  readonly openedAtMs: number;
  /** What its client has said of late. */
  readonly rate = new MessageRate();
  /** Changes that came while the watcher was being caught up; null when it is live. */
  pending: HubChange[] | null;
  /** What is being replayed is not all: the watcher must refetch. */
  mustStartOver = false;

  constructor(state: SessionState, channel: WatchChannel) {
    this.principal = state.principal;
    this.configs = new Set(state.configs);
    this.channel = channel;
    this.from = state.from;
    this.openedAtMs = state.opened_at_ms;
    this.pending = state.caught_up ? null : [];
  }

  /** Whether this change is one the watcher asked for and may read. */
  wants(config: string): boolean {
    return (
      (this.configs.has(config) || this.configs.has(namespacePattern(config))) &&
      scopesAllowRead(this.principal.scopes, config)
    );
  }

  save(): boolean {
    const { principal, from, openedAtMs } = this;
    const configs = [...this.configs];
    const caught_up = this.pending === null;
    return this.channel.save({ principal, configs, from, caught_up, opened_at_ms: openedAtMs });
  }

  tell(message: ServerMessage, resumeFrom: string | null): boolean {
    return this.channel.send(JSON.stringify(message), resumeFrom);
  }
}

/** `tenant/app/env/name` -> `tenant/app/env/*` */
export function namespacePattern(config: string): string {
  return `${config.slice(0, config.lastIndexOf("/"))}/*`;
}
