import type { HubChange } from "../../contracts/delivery/replica-rpc.ts";
import { JITTER_CLIENTS_PER_S, JITTER_FREE_SOCKETS, JITTER_MS_MAX, PENDING_CHANGES_MAX } from "./limits.ts";
import { SessionRegistry } from "./session-registry.ts";
import type { ServerMessage } from "./watch-protocol.ts";
import type { WatchSession } from "./watch-session.ts";

/** The signed token of an index. */
export type SignIndex = (index: number) => Promise<string>;

/** Tells sessions of changes: each message is encoded once, however many sockets it goes to. */
export class FanOut {
  readonly sessions = new SessionRegistry();

  /** The tokens of the changes' indexes, so that `deliver` need not wait for any. */
  async prepare(changes: readonly HubChange[], sign: SignIndex): Promise<Map<number, string>> {
    const tokens = new Map<number, string>();
    for (const { index } of changes) if (!tokens.has(index)) tokens.set(index, await sign(index));
    return tokens;
  }

  /**
   * Sends the changes, ascending by index, to those who watch them; for one that is being caught up they are put by.
   * Returns the sessions that turned out to be gone.
   */
  deliver(changes: readonly HubChange[], tokens: ReadonlyMap<number, string>): WatchSession[] {
    const gone: WatchSession[] = [];
    for (const [i, change] of changes.entries()) {
      const watchers = this.sessions.watchers(change.config).filter((session) => session.from < change.index);
      const text = JSON.stringify(changeMessage(change, tokenOf(tokens, change), jitterMs(watchers.length)));
      const resumeFrom = resumeToken(changes, i, tokens);
      for (const session of watchers) {
        if (session.pending !== null) putBy(session, change);
        else if (!session.channel.send(text, resumeFrom)) gone.push(session);
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
    for (const [i, change] of due.entries()) {
      const message = changeMessage(change, tokenOf(tokens, change), jitterMs(this.sessions.size));
      session.tell(message, resumeToken(due, i, tokens));
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

function tokenOf(tokens: ReadonlyMap<number, string>, { index }: HubChange): string {
  const token = tokens.get(index);
  if (token === undefined) throw new Error(`no token was prepared for index ${index}`);
  return token;
}

/** Only the last change of an index may be resumed from: a stream that breaks before it must get the others again. */
function resumeToken(
  changes: readonly HubChange[],
  i: number,
  tokens: ReadonlyMap<number, string>,
): string | null {
  const change = changes[i];
  return change === undefined || changes[i + 1]?.index === change.index ? null : tokenOf(tokens, change);
}

/** The window over which that many clients may spread their fetches, ms. */
export function jitterMs(clients: number): number {
  if (clients <= JITTER_FREE_SOCKETS) return 0;
  return Math.min(Math.ceil((clients * 1000) / JITTER_CLIENTS_PER_S), JITTER_MS_MAX);
}
