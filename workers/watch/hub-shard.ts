import type {
  HeadChanges,
  HubChange,
  RegionReplicaRpc,
  Revocation,
  WatchHubRpc,
  WatchPrincipal,
} from "../../contracts/delivery/replica-rpc.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { IndexSigner } from "../../adapters/index-signature/index-signer.ts";
import type { IndexPosition } from "../../domain/delivery/index-token.ts";
import { FanOut, jitterMs, type SignIndex } from "./fan-out.ts";
import { IndexWaiters } from "./index-waiters.ts";
import { BUSY_RETRY_S, FIRST_SYNC_WAIT_MS, REGISTRATION_FRESH_MS, WAITERS_MAX } from "./limits.ts";
import { CLOSE_TOKEN_ENDED, type ServerMessage } from "./watch-protocol.ts";
import type { WatchSession } from "./watch-session.ts";

export interface ShardParts {
  /** This hub's object name. */
  hub: string;
  signer: IndexSigner;
  replica: () => RegionReplicaRpc;
  /** Where the hub stood when it was last awake. */
  position: IndexPosition | null;
  /** What a client that is greeted now is told of its reconnect, ms. */
  reconnectJitterMs: () => number;
  storePosition: (position: IndexPosition) => void;
  /** Takes a session out of the hub; `end` also closes its connection. */
  forget: (session: WatchSession) => void;
  end: (session: WatchSession, code: number, reason: string) => void;
}

/**
 * What a hub knows and tells, whatever its watchers are connected by.
 *
 * Nothing is missed, because a session stands in the registry before the replica is asked what came after its `since`:
 * what is published meanwhile waits in `pending` and is sent after the replay, less what the replay held. The position is
 * stored after a batch has been sent: a batch told twice is sent once, one that was not acknowledged comes again.
 */
export class HubShard {
  readonly fanOut = new FanOut();
  readonly #parts: ShardParts;
  readonly #waiters = new IndexWaiters(WAITERS_MAX);
  /** Live revocations: expiry by token id. A token that was revoked before its socket came must be refused too. */
  readonly #revoked = new Map<string, number>();
  /** Tokens issued before have been called in. */
  #tokensNotBeforeMs = 0;
  #position: IndexPosition | null;
  /** When the replica last confirmed that it tells this hub; 0 in a new life. */
  #registeredAtMs = 0;
  #isRegistering = false;
  /** Configs published while a registration is renewed, so that its catching-up does not repeat them. */
  #publishedMeanwhile: Map<string, number> | null = null;

  constructor(parts: ShardParts) {
    this.#parts = parts;
    this.#position = parts.position;
  }

  /** Throws `unauthenticated` for a token that has expired or was revoked. */
  refuseEnded(principal: WatchPrincipal): void {
    if (principal.expires_at_ms <= Date.now() || this.#isRevoked(principal)) {
      throw new ConfluxError("unauthenticated", "the token has expired or was revoked");
    }
  }

  /** Greets a session that is in the registry, and brings it from `since` to where the hub is. */
  async start(session: WatchSession, since: string | null): Promise<void> {
    const here = this.#here();
    const from = since === null ? null : await this.#parts.signer.verifyResume(since);
    const start = from !== null && sameLine(from, here) && from.index > 0 ? from : null;
    session.from = (start ?? here).index;
    session.save();
    const token = await this.#parts.signer.sign(start ?? here);
    const reconnect_jitter_ms = this.#parts.reconnectJitterMs();
    session.tell({ type: "hello", index: token, reconnect_jitter_ms }, token);
    if (start !== null) await this.#replay(session, start);
    else {
      if (since !== null) session.mustStartOver = true;
      await this.#goLive(session, here, []);
    }
  }

  async #replay(session: WatchSession, since: IndexPosition): Promise<void> {
    if (since.index >= this.#here().index) {
      await this.#goLive(session, since, []);
      return;
    }
    const answer = await this.#parts.replica().changesSince({
      cluster_id: since.cluster_id,
      epoch: since.epoch,
      since: since.index,
    });
    if (answer.dropped || !sameLine(answer, since)) session.mustStartOver = true;
    await this.#goLive(session, positionOf(answer), changesOf(answer));
  }

  /** Sends what was missed up to `at`, then what came meanwhile; whatever comes while that is signed is sent in turn. */
  async #goLive(session: WatchSession, at: IndexPosition, missed: HubChange[]): Promise<void> {
    let due = session.mustStartOver ? [] : missed;
    let upTo = at.index;
    for (;;) {
      await this.fanOut.replay(session, due, this.#signerAt(at));
      session.from = Math.max(session.from, upTo);
      due = session.pending ?? [];
      if (due.length === 0 || session.mustStartOver) break;
      upTo = due.reduce((max, change) => Math.max(max, change.index), upTo);
      session.pending = [];
    }
    if (session.mustStartOver) {
      const here = this.#here();
      const token = await this.#parts.signer.sign(here);
      session.from = here.index;
      session.tell(this.#resyncMessage(token), token);
    }
    session.mustStartOver = false;
    session.pending = null;
    session.save();
  }

  /** Takes a batch of the replica; see `WatchHubRpc`. */
  async publish(input: Parameters<WatchHubRpc["publish"]>[0]): Promise<void> {
    const at = positionOf(input);
    const tokens = await this.fanOut.prepare(input.changes, this.#signerAt(at));
    const resyncToken = await this.#parts.signer.sign(at);
    // From here to the storing of the position nothing waits, so two calls cannot interleave.
    const before = this.#position;
    if (before?.cluster_id === at.cluster_id && at.epoch < before.epoch) return;
    if (input.resync || before === null || !sameLine(before, at)) {
      this.#resyncAll(resyncToken, at);
    } else {
      const news = input.changes.filter((change) => change.index > before.index);
      this.#tell(news, tokens);
      for (const { config, index } of news) this.#publishedMeanwhile?.set(config, index);
      this.#moveTo({ ...at, index: Math.max(at.index, before.index) });
    }
    this.#revoke(input.revocations, input.tokens_not_before_ms);
    this.endExpired();
    // Batches that were lost may have held revocations; the replica knows them all.
    if (input.resync) await this.#loadRevocations();
  }

  #tell(changes: readonly HubChange[], tokens: ReadonlyMap<HubChange, string>): void {
    for (const session of this.fanOut.deliver(changes, tokens)) this.#parts.forget(session);
  }

  /** Clients that start over all fetch at the same time, like those of a change. */
  #resyncMessage(index: string): ServerMessage {
    return { type: "resync", index, jitter_ms: jitterMs(this.fanOut.sessions.size) };
  }

  #resyncAll(token: string, at: IndexPosition): void {
    const message = this.#resyncMessage(token);
    for (const session of this.fanOut.sessions) {
      session.from = at.index;
      if (session.pending !== null) session.mustStartOver = true;
      else if (!session.tell(message, token)) this.#parts.forget(session);
      else session.save();
    }
    this.#moveTo(at);
  }

  #isRevoked({ jti, issued_at_ms }: WatchPrincipal): boolean {
    const notBeforeMs = this.#tokensNotBeforeMs;
    // A session of an older build does not know when its token was issued: then it counts as old.
    return this.#revoked.has(jti) || (notBeforeMs > 0 && !(issued_at_ms >= notBeforeMs));
  }

  /** A batch that an older build queued says nothing of the moment before which tokens are called in. */
  #revoke(revocations: readonly Revocation[], tokensNotBeforeMs: number | undefined): void {
    const notBeforeMs = Math.max(this.#tokensNotBeforeMs, tokensNotBeforeMs ?? 0);
    if (revocations.length === 0 && notBeforeMs === this.#tokensNotBeforeMs) return;
    this.#tokensNotBeforeMs = notBeforeMs;
    for (const { jti, expires_at_ms } of revocations) this.#revoked.set(jti, expires_at_ms);
    for (const session of this.fanOut.sessions) {
      if (this.#isRevoked(session.principal)) this.#parts.end(session, CLOSE_TOKEN_ENDED, "token revoked");
    }
  }

  /** Closes the sessions whose token has expired. */
  endExpired(): void {
    const nowMs = Date.now();
    for (const session of this.fanOut.sessions) {
      if (session.principal.expires_at_ms <= nowMs)
        this.#parts.end(session, CLOSE_TOKEN_ENDED, "token expired");
    }
  }

  /** Waits until the replica is known to tell this hub, asking it when nobody does already. Throws `unavailable`. */
  async registered(): Promise<void> {
    const isFresh = (): boolean =>
      this.#registeredAtMs > Date.now() - REGISTRATION_FRESH_MS && this.#position !== null;
    if (isFresh()) return;
    try {
      if (!this.#isRegistering) await this.register();
      else if (!(await this.#waiters.wait(isFresh, FIRST_SYNC_WAIT_MS)))
        throw new Error("registration failed");
    } catch (cause) {
      throw new ConfluxError("unavailable", "the region is not available", {
        retryAfterS: BUSY_RETRY_S,
        cause,
      });
    }
  }

  /**
   * Registers with the replica, or renews it, and catches up: should the replica have forgotten this hub (it lost its
   * storage, or the hub was silent for too long), what it did not tell is found here. Rejects when the replica is away.
   */
  async register(): Promise<void> {
    if (this.#isRegistering) return;
    this.#isRegistering = true;
    this.#publishedMeanwhile = new Map();
    const before = this.#position;
    try {
      const replica = this.#parts.replica();
      await replica.registerHub({ hub: this.#parts.hub });
      await this.#loadRevocations();
      // An index of 0 asks for revocations alone; a hub that stands there has missed nothing it could name.
      if (before !== null && before.index > 0) {
        const { cluster_id, epoch, index } = before;
        await this.#catchUp(before, await replica.changesSince({ cluster_id, epoch, since: index }));
      }
      this.#registeredAtMs = Date.now();
    } finally {
      this.#isRegistering = false;
      this.#publishedMeanwhile = null;
      this.#waiters.wake();
    }
  }

  async #catchUp(before: IndexPosition, answer: HeadChanges): Promise<void> {
    const at = positionOf(answer);
    const changes = changesOf(answer);
    const tokens = await this.fanOut.prepare(changes, this.#signerAt(at));
    const resyncToken = await this.#parts.signer.sign(at);
    const now = this.#here();
    if (now.cluster_id === at.cluster_id && now.epoch > at.epoch) return;
    if (answer.dropped || !sameLine(now, at)) {
      this.#resyncAll(resyncToken, at);
      return;
    }
    const told = this.#publishedMeanwhile;
    this.#tell(
      changes.filter((change) => change.index > (told?.get(change.config) ?? before.index)),
      tokens,
    );
    this.#moveTo({ ...at, index: Math.max(at.index, now.index) });
  }

  /** All live revocations, and, for a hub that stood nowhere, where the replica stands. */
  async #loadRevocations(): Promise<void> {
    const answer = await this.#parts.replica().changesSince({ cluster_id: "", epoch: 0, since: 0 });
    if (this.#position === null) this.#moveTo(positionOf(answer));
    const nowMs = Date.now();
    for (const [jti, expiresAtMs] of this.#revoked) if (expiresAtMs <= nowMs) this.#revoked.delete(jti);
    this.#revoke(answer.revocations, answer.tokens_not_before_ms);
  }

  #here(): IndexPosition {
    if (this.#position === null) throw new ConfluxError("unavailable", "the region is not available");
    return this.#position;
  }

  #moveTo(position: IndexPosition): void {
    this.#position = position;
    this.#parts.storePosition(position);
  }

  #signerAt({ cluster_id, epoch }: IndexPosition): SignIndex {
    const { signer } = this.#parts;
    return (index, isPart) => {
      const position = { cluster_id, epoch, index };
      return isPart ? signer.signPart(position) : signer.sign(position);
    };
  }
}

function positionOf({ cluster_id, epoch, index }: IndexPosition): IndexPosition {
  return { cluster_id, epoch, index };
}

function sameLine(a: IndexPosition, b: IndexPosition): boolean {
  return a.cluster_id === b.cluster_id && a.epoch === b.epoch;
}

function changesOf(answer: HeadChanges): HubChange[] {
  return answer.entries.map(({ name, doc, version, index }) => ({
    config: name,
    version,
    index,
    deleted: doc === null,
  }));
}
