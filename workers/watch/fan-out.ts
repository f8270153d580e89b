import type { HubChange } from "../../contracts/delivery/replica-rpc.ts";
import {
  HUB_RECONNECTS_PER_S,
  JITTER_CLIENTS_PER_S,
  JITTER_FREE_SOCKETS,
  JITTER_MS_MAX,
  PENDING_CHANGES_MAX,
  RECONNECT_JITTER_MS_MAX,
  RECONNECT_JITTER_MS_MIN,
  REPLICA_RESUMES_PER_S,
} from "./limits.ts";
import { SessionRegistry } from "./session-registry.ts";
import type { ServerMessage } from "./watch-protocol.ts";
import type { WatchSession } from "./watch-session.ts";

/** The signed token of an index; `isPart`: of a change that is not the last with that index. */
export type SignIndex = (index: number, isPart: boolean) => Promise<string>;
/** The token that the message of each change bears. */
type ChangeTokens = ReadonlyMap<HubChange, string>;

/** Tells sessions of changes: each message is encoded once, however many sockets it goes to. */
export class FanOut {
  readonly sessions = new SessionRegistry();

  /**
   * The tokens of changes, ascending by index, so that `deliver` need not wait for any. Only the last change of an index
   * is resumed after: a connection that breaks before it must get the others again.
   */
  async prepare(changes: readonly HubChange[], sign: SignIndex): Promise<ChangeTokens> {
    const tokens = new Map<HubChange, string>();
    for (const [i, change] of changes.entries()) {
      tokens.set(change, await sign(change.index, changes[i + 1]?.index === change.index));
    }
    return tokens;
  }

  /**
   * Sends the changes, ascending by index, to those who watch them; for one that is being caught up they are put by.
   * Returns the sessions that turned out to be gone.
   */
  deliver(changes: readonly HubChange[], tokens: ChangeTokens): WatchSession[] {
    const gone: WatchSession[] = [];
    for (const change of changes) {
      const watchers = this.sessions.watchers(change.config).filter((session) => session.from < change.index);
      const token = tokenOf(tokens, change);
      const text = JSON.stringify(changeMessage(change, token, jitterMs(watchers.length)));
      for (const session of watchers) {
        if (session.pending !== null) putBy(session, change);
        else if (!session.channel.send(text, token)) gone.push(session);
      }
    }
    return gone;
  }

  /** Sends one session the newest of each config's changes that it watches, ascending by index. */
  async replay(session: WatchSession, changes: readonly HubChange[], sign: SignIndex): Promise<void> {
    const newest = new Map<string, HubChange>();
    for (const change of changes) {
      if (!session.wants(change.config) || change.index <= session.from) continue;
      newest.delete(change.config);
      newest.set(change.config, change);
    }
    const due = [...newest.values()];
    const tokens = await this.prepare(due, sign);
    for (const change of due) {
      const token = tokenOf(tokens, change);
      session.tell(changeMessage(change, token, jitterMs(this.sessions.size)), token);
    }
  }
}

function putBy(session: WatchSession, change: HubChange): void {
  if (session.pending === null) return;
  if (session.pending.length < PENDING_CHANGES_MAX) session.pending.push(change);
  else session.mustStartOver = true;
}

function changeMessage(
  { config, version, deleted }: HubChange,
  token: string,
  jitter_ms: number,
): ServerMessage {
  return { type: "change", config, version, index: token, deleted, jitter_ms };
}

function tokenOf(tokens: ChangeTokens, change: HubChange): string {
  const token = tokens.get(change);
  if (token === undefined) throw new Error(`no token was prepared for index ${change.index}`);
  return token;
}

/** The window over which that many clients may spread their fetches, ms. */
export function jitterMs(clients: number): number {
  if (clients <= JITTER_FREE_SOCKETS) return 0;
  return Math.min(Math.ceil((clients * 1000) / JITTER_CLIENTS_PER_S), JITTER_MS_MAX);
}

/**
 * The window over which the clients of a hub may spread their reconnects, ms: wide enough for the hub to take its own
 * again, and for the region's replicas to tell all hubs' clients what they missed, should all hubs be as full as this one.
 */
export function reconnectJitterMs(
  sockets: number,
  { shards, replicaGroups }: { shards: number; replicaGroups: number },
): number {
  const hubS = sockets / HUB_RECONNECTS_PER_S;
  const replicaS = (sockets * shards) / (replicaGroups * REPLICA_RESUMES_PER_S);
  const windowMs = Math.ceil(Math.max(hubS, replicaS) * 1000);
  return Math.min(Math.max(windowMs, RECONNECT_JITTER_MS_MIN), RECONNECT_JITTER_MS_MAX);
}
