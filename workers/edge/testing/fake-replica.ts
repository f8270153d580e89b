import { DurableObject } from "cloudflare:workers";
import type {
  HeadChanges,
  HeadEntry,
  HeadLookup,
  NamespacePage,
  RegionReplicaRpc,
  ReplicaPosition,
  Revocation,
} from "../../../contracts/delivery/replica-rpc.ts";

/** What a test may do to a replica. `hold`: calls do not answer until it is switched off. */
export interface ReplicaFaults {
  away?: boolean;
  hold?: boolean;
  dropNext?: boolean;
}

const POLL_MS = 5;

/** A region's replica with the data and the faults that a test gives it; in memory, one object a test. */
export class FakeReplica extends DurableObject implements RegionReplicaRpc {
  #position: ReplicaPosition = { cluster_id: "c1", epoch: 1, index: 100, age_ms: 0 };
  readonly #entries = new Map<string, HeadEntry>();
  readonly #contents = new Map<string, Uint8Array>();
  readonly #revocations: Revocation[] = [];
  #tokensNotBeforeMs = 0;
  #faults: ReplicaFaults = {};
  readonly #calls: Record<string, number> = {};

  /** Moves a name to a document; the index moves by one. */
  async put(entry: Omit<HeadEntry, "index">): Promise<number> {
    this.#position.index += 1;
    this.#entries.set(entry.name, { ...entry, index: this.#position.index });
    return this.#position.index;
  }
  async putContent(key: string, bytes: Uint8Array): Promise<void> {
    this.#contents.set(key, bytes);
  }
  async revoke(jti: string): Promise<void> {
    this.#position.index += 1;
    this.#revocations.push({ jti, expires_at_ms: Date.now() + 3_600_000 });
  }
  async callIn(tokensNotBeforeMs: number): Promise<void> {
    this.#position.index += 1;
    this.#tokensNotBeforeMs = tokensNotBeforeMs;
  }
  async move(position: Partial<ReplicaPosition>): Promise<void> {
    this.#position = { ...this.#position, ...position };
  }
  async fault(faults: ReplicaFaults): Promise<void> {
    this.#faults = { ...this.#faults, ...faults };
  }
  async calls(): Promise<Record<string, number>> {
    return { ...this.#calls };
  }

  async changesSince(input: { cluster_id: string; epoch: number; since: number }): Promise<HeadChanges> {
    await this.#enter("changesSince");
    const same = input.cluster_id === this.#position.cluster_id && input.epoch === this.#position.epoch;
    const dropped = input.since > 0 && (!same || this.#faults.dropNext === true);
    if (dropped) this.#faults.dropNext = false;
    const newer = [...this.#entries.values()].filter((entry) => entry.index > input.since);
    const entries = input.since === 0 || dropped ? [] : newer.toSorted((a, b) => a.index - b.index);
    return {
      ...this.#position,
      entries,
      revocations: dropped ? [] : [...this.#revocations],
      tokens_not_before_ms: this.#tokensNotBeforeMs,
      dropped,
    };
  }

  async lookup(input: { names: string[]; min_index?: number; wait_ms?: number }): Promise<HeadLookup> {
    await this.#enter("lookup");
    const minimum = input.min_index ?? 0;
    for (let waited = 0; this.#position.index < minimum && waited < (input.wait_ms ?? 0); waited += POLL_MS) {
      await pause();
    }
    const unseen = (name: string): HeadEntry => ({ name, doc: null, index: 0, version: 0 });
    const entries = input.names.map((name) => this.#entries.get(name) ?? unseen(name));
    return { ...this.#position, entries, reached: this.#position.index >= minimum };
  }

  async listNamespace(input: {
    namespace: string;
    cursor: string | null;
    limit: number;
  }): Promise<NamespacePage> {
    await this.#enter("listNamespace");
    const all = [...this.#entries.values()]
      .filter(
        (e) => e.doc !== null && e.name.startsWith(`${input.namespace}/`) && e.name > (input.cursor ?? ""),
      )
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const entries = all.slice(0, input.limit);
    return {
      ...this.#position,
      entries,
      next_cursor: all.length > entries.length ? (entries.at(-1)?.name ?? null) : null,
    };
  }

  async content(input: { tenant: string; key: string }): Promise<ArrayBuffer | null> {
    await this.#enter("content");
    const bytes = this.#contents.get(input.key);
    return bytes === undefined ? null : new Uint8Array(bytes).buffer;
  }

  async ensureFollowing(): Promise<ReplicaPosition> {
    return this.#position;
  }
  async registerHub(): Promise<ReplicaPosition> {
    return this.#position;
  }

  async #enter(call: string): Promise<void> {
    this.#calls[call] = (this.#calls[call] ?? 0) + 1;
    if (this.#faults.away === true) throw new Error("the replica is away");
    while (this.#faults.hold === true) await pause();
  }
}

/** A hub shard that tells what it was given: as the first message of a socket, or as an event. */
export class FakeHub extends DurableObject {
  override async fetch(request: Request): Promise<Response> {
    const told = JSON.stringify({
      hub: this.ctx.id.name,
      url: request.url,
      headers: Object.fromEntries(request.headers),
    });
    if (request.headers.get("upgrade") === null) {
      return new Response(`data: ${told}\n\n`, { headers: { "content-type": "text/event-stream" } });
    }
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.send(told);
    return new Response(null, { status: 101, webSocket: client });
  }
}

async function pause(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, POLL_MS);
  });
}
