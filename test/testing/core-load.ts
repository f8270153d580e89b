import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import type { Operation, VersionInput, VersionState } from "../../consensus/sim/linearizability.ts";
import type { Consistency } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";

/** A client gives up on one request after this long, so that it goes on while a node is paused or cut off. */
const TRY_MS = 2_000;
/** Pause between two operations of a client. */
const PAUSE_MS = 8;
/** How long after `stop` a write may still be retried: the cluster is whole again by then. */
const LAST_RETRY_MS = 20_000;
/** Writes given up after a failure, where others retry until they know. */
const GIVE_UP_SHARE = 0.15;
const PAGE = 200;
export const FIRST_VALUE = "first";

export interface CoreLoadOptions {
  urls: readonly string[];
  serviceKey: string;
  clients: number;
  configs: number;
}

/** A client of one load client, and when it last sent a request. */
interface Connection {
  core: CoreClient;
  askedAtMs: number;
}

export type VersionOperation = Operation<VersionInput, VersionState>;

/** A read that need not be linearizable, but must show something true. */
export interface WeakRead extends VersionState {
  key: string;
  client: string;
}

/** What clients did and saw; keys are config ids. */
export interface LoadHistory {
  operations: VersionOperation[];
  weakReads: WeakRead[];
  /** All versions of each config in the end, oldest first. */
  final: Record<string, VersionState[]>;
  /** Refusals of any kind, by code: for people. */
  refusals: Record<string, number>;
}

/**
 * Clients that add versions to shared configs and read them, each doing one thing at a time. A write carries an
 * idempotency key and is retried under it, as clients are told to; some are given up, so their outcome stays unknown.
 * Two clients of three ask one certain node each time, whatever that is at the moment, and half of those only read:
 * what a paused or cut off leader answers is seen that way.
 */
export class CoreLoad {
  readonly #history: LoadHistory = { operations: [], weakReads: [], final: {}, refusals: {} };
  readonly #options: CoreLoadOptions;
  readonly #roaming: CoreClient;
  #configIds: string[] = [];
  #clients: Promise<unknown> = Promise.resolve();
  #failure: { error: unknown } | null = null;
  #stoppedAtMs: number | null = null;
  #serial = 0;

  private constructor(options: CoreLoadOptions) {
    this.#options = options;
    this.#roaming = this.#connect(options.urls).core;
  }

  /** Makes the configs and starts the clients. */
  static async start(options: CoreLoadOptions): Promise<CoreLoad> {
    const load = new CoreLoad(options);
    load.#configIds = await Promise.all(
      Array.from({ length: options.configs }, (_, i) => load.#createConfig(`faults.${randomUUID()}.${i}`)),
    );
    load.#clients = Promise.all(
      Array.from({ length: options.clients }, (_, i) => load.#runClient(`c${i + 1}`, i)),
    );
    load.#clients.catch((error: unknown) => {
      load.#failure = { error };
    });
    return load;
  }

  /** Writes acknowledged so far. Throws what went wrong with a client. */
  acknowledged(): number {
    if (this.#failure !== null) throw this.#failure.error;
    return this.#history.operations.filter(
      ({ input, returnedAt }) => input.kind === "append" && returnedAt !== Number.POSITIVE_INFINITY,
    ).length;
  }

  /** Lets every client end, reads what there is, and answers all of it. Throws what went wrong with a client. */
  async stop(): Promise<LoadHistory> {
    this.#stoppedAtMs = performance.now();
    await this.#clients;
    for (const id of this.#configIds) this.#history.final[id] = await this.#allVersions(id);
    return this.#history;
  }

  async #runClient(name: string, index: number): Promise<void> {
    const { urls } = this.#options;
    const roaming = [this.#connect(urls)];
    const pinned = urls.map((url) => this.#connect([url]));
    const [isRoaming, isReader] = [index % 3 === 0, index % 3 === 2];
    while (this.#stoppedAtMs === null) {
      const key = pick(this.#configIds);
      const chance = Math.random();
      const connection = pick(isRoaming ? roaming : pinned);
      if (isReader || chance >= 0.6) await this.#read(connection, name, key, "linearizable");
      else if (chance >= 0.1) await this.#append(connection.core, isRoaming, name, key);
      else await this.#read(connection, name, key, chance < 0.05 ? "leader" : "stale");
      await sleep(PAUSE_MS);
    }
  }

  #connect(urls: readonly string[]): Connection {
    const { serviceKey } = this.#options;
    const connection = { askedAtMs: 0 };
    const impatientFetch: typeof fetch = (input, init) => {
      connection.askedAtMs = performance.now();
      const late = AbortSignal.timeout(TRY_MS);
      const signal =
        init?.signal === undefined || init.signal === null ? late : AbortSignal.any([init.signal, late]);
      return fetch(input, { ...init, signal });
    };
    const core = new CoreClient({ urls, serviceKey, role: "admin", fetch: impatientFetch });
    return Object.assign(connection, { core });
  }

  async #append(core: CoreClient, isRoaming: boolean, client: string, key: string): Promise<void> {
    this.#serial += 1;
    const value = `${client}.${this.#serial}`;
    const idempotency = { scope: `faults:${randomUUID()}`, digest: sha256Of(Buffer.from(value)) };
    const operation = { client, key, input: { kind: "append" as const, value }, calledAt: performance.now() };
    let mayHaveHappened = false;
    for (;;) {
      try {
        const { result } = await core.propose(createVersion(key, value, idempotency));
        const output = { version: result.version.version_id, value };
        this.#history.operations.push({ ...operation, output, returnedAt: performance.now() });
        return;
      } catch (error) {
        const code = this.#countRefusal(error);
        mayHaveHappened ||= code !== "not_proposed";
        const isLate = this.#stoppedAtMs !== null && performance.now() - this.#stoppedAtMs > LAST_RETRY_MS;
        // One that is pinned to a node which is in trouble would never end.
        if (isRoaming && !isLate && Math.random() >= GIVE_UP_SHARE) {
          await sleep(PAUSE_MS);
          continue;
        }
        const returnedAt = Number.POSITIVE_INFINITY;
        if (mayHaveHappened) this.#history.operations.push({ ...operation, output: null, returnedAt });
        return;
      }
    }
  }

  async #read(connection: Connection, client: string, key: string, consistency: Consistency): Promise<void> {
    try {
      const { items } = await connection.core.listVersions({ config_id: key, limit: 1 }, { consistency });
      const returnedAt = performance.now();
      const [latest] = items;
      if (latest === undefined) throw new Error(`${key} has no version`);
      const output = { version: latest.version_id, value: latest.description };
      if (consistency === "linearizable") {
        // Tries that were given up changed nothing: only the one that was answered counts.
        const calledAt = connection.askedAtMs;
        this.#history.operations.push({ client, key, input: { kind: "read" }, output, calledAt, returnedAt });
      } else this.#history.weakReads.push({ key, client: `${client} ${consistency}`, ...output });
    } catch (error) {
      // A node that has not heard of the config yet may say so to a stale read.
      const isBehind = error instanceof ConfluxError && error.code === "not_found" && consistency === "stale";
      if (!isBehind) this.#countRefusal(error);
    }
  }

  /** Only what a cluster in trouble may answer. */
  #countRefusal(error: unknown): string {
    const code = error instanceof ConfluxError ? error.code : "";
    if (code !== "not_proposed" && code !== "outcome_unknown" && code !== "unavailable") throw error;
    this.#history.refusals[code] = (this.#history.refusals[code] ?? 0) + 1;
    return code;
  }

  async #createConfig(name: string): Promise<string> {
    const bytes = Buffer.from(`"${FIRST_VALUE}"`);
    const payload = testConfigPayload(name, sha256Of(bytes), { description: FIRST_VALUE });
    const idempotency = { scope: `faults:${name}`, digest: sha256Of(bytes) };
    const command = testCommand("create_config", payload, { idempotency });
    return (await this.#roaming.propose({ command, attachments: [bytes] })).result.config.id;
  }

  async #allVersions(configId: string): Promise<VersionState[]> {
    const found: VersionState[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: { version_id: number; description: string }[]; next_cursor: string | null } =
        await this.#roaming.listVersions(
          { config_id: configId, limit: PAGE, ...(cursor === null ? {} : { cursor }) },
          { consistency: "linearizable" },
        );
      found.push(...page.items.map((item) => ({ version: item.version_id, value: item.description })));
      cursor = page.next_cursor;
    } while (cursor !== null);
    return found.toReversed();
  }
}

function pick<T>(items: readonly T[]): T {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error("there is nothing to pick from");
  return item;
}

function createVersion(configId: string, value: string, idempotency: { scope: string; digest: string }) {
  const bytes = Buffer.from(JSON.stringify(value));
  const command = testCommand(
    "create_version",
    {
      config_id: configId,
      content: { attachment: 0, sha256: sha256Of(bytes) },
      format: null,
      schema: null,
      description: value,
    },
    { idempotency },
  );
  return { command, attachments: [bytes] };
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
