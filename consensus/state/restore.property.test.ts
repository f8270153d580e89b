import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { testCommand, testRule } from "../../domain/command/testing-commands.ts";
import { type AnyStateStore, createMemoryStateStore } from "./memory-state-store.testing.ts";
import { StateStore } from "./state-store.ts";
import { createEntry, entryOf } from "./testing-entries.ts";
import {
  backupOf,
  beginEntry,
  chunkEntry,
  dumpOf,
  epochOf,
  restoreEntry,
  rowsOf,
  type TestingBackup,
} from "./testing-restore.ts";

/** Steps after which the replica that applies in batches does so. */
const BATCH_STEPS = 7;

type Step =
  | { do: "create"; name: string; text: string }
  | { do: "rules" | "delete"; pick: number }
  | { do: "node"; nodeId: number }
  | { do: "backup"; rowsPerChunk: number }
  | { do: "begin"; restore: number; pick: number }
  | { do: "chunk"; restore: number; pick: number; behind: number }
  | { do: "feed_all"; restore: number }
  | { do: "whole"; restore: number; pick: number }
  | { do: "commit" | "abort"; restore: number }
  | { do: "snapshot" | "reopen" };

const pick = fc.nat({ max: 20 });
/** Names of restores: few, so that steps of one meet another. */
const restore = fc.nat({ max: 2 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("create" as const),
    name: fc.constantFrom("a", "b", "c", "d"),
    text: fc.constantFrom("{1}", "{2}", ""),
  }),
  fc.record({ do: fc.constantFrom("rules" as const, "delete" as const), pick }),
  fc.record({ do: fc.constant("node" as const), nodeId: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ do: fc.constant("backup" as const), rowsPerChunk: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ do: fc.constant("begin" as const), restore, pick }),
  fc.record({ do: fc.constant("chunk" as const), restore, pick, behind: fc.integer({ min: -1, max: 1 }) }),
  fc.record({ do: fc.constant("feed_all" as const), restore }),
  fc.record({ do: fc.constant("whole" as const), restore, pick }),
  fc.record({ do: fc.constantFrom("commit" as const, "abort" as const), restore }),
  fc.record({ do: fc.constantFrom("snapshot" as const, "reopen" as const) }),
);

/** What is believed of restores: which backup is on its way, and how far; which is done. */
interface Model {
  pending: { id: string; backup: TestingBackup; staged: number } | null;
  /** Restores that were done, the last of them last. */
  doneIds: string[];
  epoch: number;
  /** The rows that the state must have, when a restore has just been done. */
  rows: Uint8Array[] | null;
}

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-restore-property-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
let serial = 0;

/** Three replicas of one log: on disk one by one, on disk in batches and by snapshots, and in memory. */
class Replicas {
  readonly ones: StateStore;
  #batched: StateStore;
  readonly memory = createMemoryStateStore({ clusterId: "c1", feedRetainedEntriesMax: 8 });
  readonly #waiting: ReturnType<typeof entryOf>[] = [];
  #batchedPath = "";

  constructor() {
    this.ones = this.#open("wal", this.#newPath());
    this.#batchedPath = this.#newPath();
    this.#batched = this.#open("truncate", this.#batchedPath);
  }

  apply(entry: ReturnType<typeof entryOf>): ApplyOutcome {
    const [outcome] = this.ones.apply([entry]);
    const [inMemory] = this.memory.apply([entry]);
    if (outcome === undefined || outcome === null) throw new Error("no outcome");
    expect(inMemory).toEqual(outcome);
    this.#waiting.push(entry);
    return outcome;
  }

  /** The second replica is given a snapshot of the first in the place of what it has not applied yet. */
  async snapshot(): Promise<void> {
    const path = this.#newPath();
    const index = await this.ones.copyTo(path);
    this.#batched.install(path, index);
    this.#waiting.length = 0;
  }

  reopen(): void {
    this.#catchUp();
    this.#batched.close();
    this.#batched = this.#open("truncate", this.#batchedPath);
  }

  /** Those that apply one by one; the batches only now and then, or there would be none. */
  expectEqual(isBatchOver: boolean): void {
    expect(dumpOf(this.memory)).toBe(dumpOf(this.ones));
    expect(checkInvariants(this.ones)).toEqual([]);
    if (!isBatchOver) return;
    this.#catchUp();
    expect(this.#batched.stateHash()).toBe(this.ones.stateHash());
    expect([this.#batched.epoch(), this.#batched.index()]).toEqual([this.ones.epoch(), this.ones.index()]);
  }

  close(): void {
    this.ones.close();
    this.#batched.close();
  }

  #catchUp(): void {
    this.#batched.apply(this.#waiting.splice(0));
  }
  #newPath(): string {
    return join(directory, `${(serial += 1)}.db`);
  }
  #open(journal: "wal" | "truncate", path: string): StateStore {
    return new StateStore({ path, clusterId: "c1", journal, feedRetainedEntriesMax: 8 });
  }
}

const configIds = (store: AnyStateStore): string[] =>
  [...store.scan("c/", { limit: 99 })].map(({ key }) => key.slice(2));
const nodeKeys = (store: AnyStateStore): string[] =>
  [...store.scan(stateKey.nodePrefix, { limit: 99 })].map(({ key }) => key);
const nameOf = (number: number): string => `r-${number}`;

/** The entry of a step that is no restore's, whether it is taken or refused. */
function ordinary(step: Step, index: number, store: AnyStateStore) {
  const ids = configIds(store);
  if (step.do === "create") return createEntry(index, step.name, step.text);
  if (step.do === "node") {
    const node = { node_id: step.nodeId, raft_address: "h:1", url: "http://h:2", disk_id: "d" };
    return entryOf(index, testCommand("register_node", node));
  }
  const config_id = ids[("pick" in step ? step.pick : 0) % Math.max(1, ids.length)] ?? "cfg-c1-none";
  if (step.do === "rules") {
    return entryOf(index, testCommand("put_releases", { config_id, releases: [testRule(1)] }));
  }
  return entryOf(index, testCommand("delete_config", { config_id }));
}

function begin(model: Model, replicas: Replicas, id: string, backup: TestingBackup): void {
  const { ok } = replicas.apply(beginEntry(replicas.ones.lastApplied() + 1, id, backup));
  expect(ok).toBe(!model.doneIds.includes(id));
  if (ok) model.pending = { id, backup, staged: 0 };
}

function chunk(model: Model, replicas: Replicas, id: string, position: number): void {
  const { pending } = model;
  const backup = pending?.backup ?? { origin: backupOf(replicas.ones, 1).origin, chunks: [] };
  const { ok } = replicas.apply(chunkEntry(replicas.ones.lastApplied() + 1, id, backup, position));
  const isNext = position === pending?.staged && position < backup.chunks.length;
  expect(ok).toBe(pending?.id === id && (position < pending.staged || isNext));
  if (ok && isNext && pending !== null) pending.staged += 1;
}

function feedAll(model: Model, replicas: Replicas, id: string): void {
  const chunks = model.pending?.id === id ? model.pending.backup.chunks.length : 0;
  for (let position = 0; position < chunks; position += 1) chunk(model, replicas, id, position);
}

function commit(model: Model, replicas: Replicas, id: string): void {
  const at = replicas.ones.lastApplied() + 1;
  const { ok } = replicas.apply(restoreEntry(at, "commit_restore", { restore_id: id, keep_ids: true }));
  const { pending } = model;
  const isWhole = pending?.id === id && pending.staged === pending.backup.chunks.length;
  const isLast = model.doneIds.at(-1) === id;
  expect(ok).toBe(isLast || isWhole);
  // One that was committed before is only answered again.
  if (!isWhole || isLast) return;
  model.epoch = Math.max(model.epoch, pending.backup.origin.epoch) + 1;
  model.doneIds.push(id);
  model.rows = pending.backup.chunks.map(({ bytes }) => bytes);
  model.pending = null;
}

async function take(step: Step, model: Model, replicas: Replicas, backups: TestingBackup[]): Promise<void> {
  const at = replicas.ones.lastApplied() + 1;
  const id = "restore" in step ? nameOf(step.restore) : "";
  if (step.do === "backup") backups.push(backupOf(replicas.ones, step.rowsPerChunk));
  else if (step.do === "snapshot") await replicas.snapshot();
  else if (step.do === "reopen") replicas.reopen();
  else if (step.do === "begin") {
    const backup = backups[step.pick % Math.max(1, backups.length)];
    if (backup !== undefined) begin(model, replicas, id, backup);
  } else if (step.do === "chunk") {
    chunk(model, replicas, id, Math.max(0, (model.pending?.staged ?? 0) + step.behind));
  } else if (step.do === "feed_all") feedAll(model, replicas, id);
  else if (step.do === "whole") {
    const backup = backups[step.pick % Math.max(1, backups.length)];
    if (backup === undefined) return;
    begin(model, replicas, id, backup);
    feedAll(model, replicas, id);
    commit(model, replicas, id);
  } else if (step.do === "commit") commit(model, replicas, id);
  else if (step.do === "abort") {
    expect(replicas.apply(restoreEntry(at, "abort_restore", { restore_id: id })).ok).toBe(true);
    if (model.pending?.id === id) model.pending = null;
  } else replicas.apply(ordinary(step, at, replicas.ones));
}

it("R13 R11 any sequence of writes and steps of restores, in batches, over snapshots and restarts, leaves one state on all replicas", async () => {
  let restores = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 10, maxLength: 60, size: "max" }), async (steps) => {
      const replicas = new Replicas();
      const model: Model = { pending: null, doneIds: [], epoch: 1, rows: null };
      const backups: TestingBackup[] = [];
      try {
        for (const [i, one] of steps.entries()) {
          const before = {
            index: replicas.ones.index(),
            rows: rowsOf(replicas.ones),
            nodes: nodeKeys(replicas.ones),
          };
          await take(one, model, replicas, backups);
          replicas.expectEqual(i % BATCH_STEPS === 0 || i === steps.length - 1);
          const { ones } = replicas;
          expect([ones.epoch(), epochOf(ones)]).toEqual([model.epoch, model.epoch]);
          expect(ones.index()).toBeGreaterThanOrEqual(before.index);
          expect(nodeKeys(ones)).toEqual(expect.arrayContaining(before.nodes));
          expect(ones.hasKey(stateKey.pendingRestore)).toBe(model.pending !== null);
          if (model.rows !== null) {
            restores += 1;
            expect(Buffer.concat(rowsOf(ones)).equals(Buffer.concat(model.rows))).toBe(true);
          } else if ("restore" in one) expect(rowsOf(ones)).toEqual(before.rows);
          model.rows = null;
        }
      } finally {
        replicas.close();
      }
    }),
    { numRuns: 30 },
  );
  // Of that many sequences some must have come to a commit, or nothing was tested.
  expect(restores).toBeGreaterThan(0);
}, 120_000);
