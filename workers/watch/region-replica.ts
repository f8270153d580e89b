import { DurableObject } from "cloudflare:workers";
import type {
  HeadChanges,
  HeadLookup,
  NamespacePage,
  RegionReplicaRpc,
  ReplicaPosition,
} from "../../contracts/delivery/replica-rpc.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { ContentStore } from "./content-store.ts";
import { FeedFollower, type FollowerParts } from "./feed-follower.ts";
import { type HeadPosition, HeadStore } from "./head-store.ts";
import { HubOutbox } from "./hub-outbox.ts";
import { IndexWaiters } from "./index-waiters.ts";
import {
  BACKOFF_MAX_MS,
  BACKOFF_MIN_MS,
  FIRST_SYNC_WAIT_MS,
  HUB_BACKOFF_MS,
  LOOKUP_NAMES_MAX,
  LOOKUP_WAIT_MS_MAX,
  LOOP_MS,
  LOOP_STEPS_MAX,
  NAMESPACE_PAGE_MAX,
  SILENT_MS_MAX,
  SWEEP_INTERVAL_MS,
  WAITERS_MAX,
} from "./limits.ts";
import { logEvent } from "./log-event.ts";
import { openCore } from "./open-core.ts";
import { createTables } from "./replica-schema.ts";
import { ResyncStage } from "./resync-stage.ts";
import type { FollowedCore } from "./store-document.ts";
import { sweepReplica } from "./sweep-replica.ts";
import { HubTeller } from "./tell-hubs.ts";
import { objectIdentity, regionKv, type WatchEnv } from "./watch-env.ts";

export interface ReplicaTiming {
  /** How long one run of the alarm follows the feed. */
  loopMs: number;
  backoffMaxMs: number;
  /** How long a question waits for the very first sync. */
  firstSyncWaitMs: number;
}

/**
 * The ordered copy of the log's state for one region. It follows the core's feed from its alarm: each run follows for
 * `loopMs`, then re-arms, so the object is never without an alarm once it has been started; errors back off and re-arm
 * too, and cron starts it again should the platform ever drop the alarm. Answers come from SQLite at any time, also
 * while the core is away; `age_ms` says for how long it has been.
 */
export class RegionReplica extends DurableObject<WatchEnv> implements RegionReplicaRpc {
  readonly #region: string;
  readonly #parts: FollowerParts;
  readonly #teller: HubTeller;
  readonly #follower: FeedFollower;
  readonly #waiters = new IndexWaiters(WAITERS_MAX);
  #isLooping = false;
  /** Whether this life of the object has made sure of its alarm. */
  #isStarted = false;
  /** The last answer was taken over and the next one is being waited for. */
  #isHealthy = false;
  #contactAtMs: number;
  #failures = 0;
  #sweptAtMs = 0;

  constructor(ctx: DurableObjectState, env: WatchEnv) {
    super(ctx, env);
    createTables(ctx.storage.sql);
    this.#region = objectIdentity(ctx).region;
    this.#parts = {
      region: this.#region,
      core: this.core(),
      kv: this.kv(this.#region),
      storage: ctx.storage,
      head: new HeadStore(ctx.storage.sql),
      contents: new ContentStore(ctx.storage),
      outbox: new HubOutbox(ctx.storage.sql),
      stage: new ResyncStage(ctx.storage),
      now: Date.now,
    };
    this.#contactAtMs = this.#parts.head.position()?.contact_at_ms ?? 0;
    this.#follower = new FeedFollower(this.#parts);
    this.#teller = new HubTeller(this.#region, this.#parts.outbox, (name) => env.HUB.getByName(name));
  }

  /** The core that is followed. */
  protected core(): FollowedCore {
    return openCore(this.env);
  }

  /** The region's KV namespace. */
  protected kv(region: string): KVNamespace {
    return regionKv(this.env, region);
  }

  protected get timing(): ReplicaTiming {
    return { loopMs: LOOP_MS, backoffMaxMs: BACKOFF_MAX_MS, firstSyncWaitMs: FIRST_SYNC_WAIT_MS };
  }

  override async alarm(): Promise<void> {
    if (this.#isLooping) return;
    this.#isLooping = true;
    this.#isStarted = true;
    let nextMs = 0;
    try {
      await this.#follow();
      this.#failures = 0;
    } catch (error) {
      nextMs =
        Math.min(BACKOFF_MIN_MS * 2 ** this.#failures, this.timing.backoffMaxMs) * (0.5 + Math.random() / 2);
      this.#failures += 1;
      logEvent({ level: "warn", event: "follow_failed", region: this.#region, retry_ms: nextMs }, error);
    } finally {
      this.#isLooping = false;
      this.#isHealthy = false;
      await this.ctx.storage.setAlarm(Date.now() + nextMs);
    }
  }

  async #follow(): Promise<void> {
    const deadlineMs = Date.now() + this.timing.loopMs;
    let toldAll = await this.#teller.tellAll(Date.now());
    for (let steps = 0; steps < LOOP_STEPS_MAX && Date.now() < deadlineMs; steps += 1) {
      const waitMs = Math.min(deadlineMs - Date.now(), toldAll ? Infinity : HUB_BACKOFF_MS);
      if (await this.#follower.step(waitMs)) {
        this.#isHealthy = true;
        this.#contactAtMs = Date.now();
        this.#waiters.wake();
        toldAll = await this.#teller.tellAll(Date.now());
      }
      await this.#sweep();
    }
    this.#parts.head.contacted(this.#contactAtMs);
  }

  async #sweep(): Promise<void> {
    const nowMs = Date.now();
    if (nowMs < this.#sweptAtMs + SWEEP_INTERVAL_MS) return;
    this.#sweptAtMs = nowMs;
    try {
      await sweepReplica(this.#parts, nowMs);
    } catch (error) {
      // KV is away: following must not stop for it, and entries are due days before they expire.
      logEvent({ level: "warn", event: "sweep_failed", region: this.#region }, error);
    }
  }

  async ensureFollowing(): Promise<ReplicaPosition> {
    // In a new life the alarm may be one that the platform put off because the last life died in it.
    if (!this.#isLooping && (!this.#isStarted || (await this.ctx.storage.getAlarm()) === null)) {
      this.#isStarted = true;
      await this.ctx.storage.setAlarm(Date.now());
    }
    const position = this.#parts.head.position();
    return position === null
      ? { cluster_id: "", epoch: 0, index: 0, age_ms: Number.MAX_SAFE_INTEGER }
      : this.#positionOf(position);
  }

  async changesSince(input: { cluster_id: string; epoch: number; since: number }): Promise<HeadChanges> {
    const position = await this.#ready();
    const { head } = this.#parts;
    const answer = this.#positionOf(position);
    const tokens_not_before_ms = head.tokensNotBeforeMs();
    const sameLine = input.cluster_id === position.cluster_id && input.epoch === position.epoch;
    if (input.since === 0) {
      const revocations = head.revocationsAfter(0, Date.now());
      return { ...answer, tokens_not_before_ms, entries: [], revocations, dropped: false };
    }
    const entries = sameLine && input.since >= position.horizon ? head.changedAfter(input.since) : null;
    const revocations = head.revocationsAfter(entries === null ? 0 : input.since, Date.now());
    return {
      ...answer,
      tokens_not_before_ms,
      entries: entries ?? [],
      revocations,
      dropped: entries === null,
    };
  }

  async lookup(input: { names: string[]; min_index?: number; wait_ms?: number }): Promise<HeadLookup> {
    if (input.names.length > LOOKUP_NAMES_MAX) throw new RangeError(`more than ${LOOKUP_NAMES_MAX} names`);
    await this.#ready();
    const minIndex = input.min_index ?? 0;
    const waitMs = Math.min(input.wait_ms ?? 0, LOOKUP_WAIT_MS_MAX);
    const reached = await this.#waiters.wait(() => this.#index() >= minIndex, waitMs);
    const position = await this.#ready();
    const entries = input.names.map((name) => this.#parts.head.entry(name));
    return { ...this.#positionOf(position), entries, reached };
  }

  async listNamespace(input: {
    namespace: string;
    cursor: string | null;
    limit: number;
  }): Promise<NamespacePage> {
    const position = await this.#ready();
    const limit = Math.max(1, Math.min(input.limit, NAMESPACE_PAGE_MAX));
    const rows = this.#parts.head.namespace(input.namespace, input.cursor, limit + 1);
    const entries = rows.slice(0, limit);
    const last = rows.length > limit ? entries.at(-1) : undefined;
    const next_cursor = last === undefined ? null : last.name.slice(input.namespace.length + 1);
    return { ...this.#positionOf(position), entries, next_cursor };
  }

  async content(input: { tenant: string; key: string }): Promise<ArrayBuffer | null> {
    const ofTenant = input.key.split("/")[1] === input.tenant;
    return ofTenant ? (this.#parts.contents.read(input.key)?.buffer ?? null) : null;
  }

  async registerHub(input: { hub: string }): Promise<ReplicaPosition> {
    await this.#ready();
    this.#parts.outbox.register(input.hub, Date.now());
    return this.#positionOf(await this.#ready());
  }

  /** The position; starts the loop when it is not running, and waits for the very first sync. */
  async #ready(): Promise<HeadPosition> {
    const position = this.#parts.head.position();
    const isHeard = Date.now() - this.#contactAtMs < SILENT_MS_MAX;
    if (position !== null && this.#isStarted && isHeard) return position;
    await this.ensureFollowing();
    await this.#waiters.wait(() => this.#parts.head.position() !== null, this.timing.firstSyncWaitMs);
    const synced = this.#parts.head.position();
    if (synced === null) {
      throw new ConfluxError(
        "unavailable",
        `the replica of ${this.#region} has not synced with the core yet`,
      );
    }
    return synced;
  }

  #index(): number {
    return this.#parts.head.position()?.index ?? 0;
  }

  #positionOf({ cluster_id, epoch, index }: HeadPosition): ReplicaPosition {
    const age_ms = this.#isHealthy ? 0 : Math.max(0, Date.now() - this.#contactAtMs);
    return { cluster_id, epoch, index, age_ms };
  }
}
