import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryObjectStorage } from "../../adapters/object-storage/memory-object-storage.ts";
import type { ClusterJob, CoreRestoreRequest } from "../../contracts/backup/backup-api.ts";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { NotProposedError } from "../replicated-log.ts";
import { StateStore } from "../state/state-store.ts";
import { createEntry } from "../state/testing-entries.ts";
import { chunkRows } from "./backup-chunks.ts";
import { BackupService, type BackupSettings } from "./backup-service.ts";
import type { CoreContext, LogLine } from "./core-context.ts";
import { FeedWaiters } from "./feed-waiters.ts";
import { LeaderClock } from "./leader-clock.ts";
import { CoreMetrics } from "./metrics.ts";
import { PeerBook } from "./peer-book.ts";
import { PeerKnowledge } from "./peer-knowledge.ts";
import { drillBackup } from "./restore-drill.ts";
import { TestingLog } from "./testing-log.ts";

/** A storage that fails from its `failAt`-th call on, for as many calls as `failures` says. */
export class FaultyStorage extends MemoryObjectStorage {
  calls = 0;
  failAt = Infinity;
  failures = Infinity;

  override async put(name: string, bytes: Uint8Array): Promise<void> {
    this.#call();
    await super.put(name, bytes);
  }
  override async get(name: string, bytesMax: number): Promise<Uint8Array> {
    this.#call();
    return super.get(name, bytesMax);
  }
  #call(): void {
    this.calls += 1;
    if (this.calls < this.failAt || this.calls >= this.failAt + this.failures) return;
    throw new ConfluxError("unavailable", "the storage is away");
  }
}

/** Refuses from its `failAt`-th proposal on, as a node does that has stopped leading. */
export class LosingLog extends TestingLog<ApplyOutcome> {
  proposals = 0;
  failAt = Infinity;

  override async propose(data: Uint8Array): ReturnType<TestingLog<ApplyOutcome>["propose"]> {
    this.proposals += 1;
    if (this.proposals >= this.failAt) this.failure = new NotProposedError("this node no longer leads", 2);
    return super.propose(data);
  }
}

export interface TestingBackups<S extends ObjectStorage = FaultyStorage> {
  core: CoreContext;
  store: StateStore;
  log: LosingLog;
  storage: S;
  service: BackupService;
  lines: LogLine[];
  directory: string;
  /** How many jobs of a kind ended so on this node, as its metrics say. */
  counted(kind: ClusterJob["kind"], result: "success" | "failure"): Promise<number>;
  /** Creates configs of these names. */
  write(...names: string[]): Promise<void>;
  /** Takes a backup and answers its id. */
  backup(): Promise<string>;
  restore(request: Partial<CoreRestoreRequest>): Promise<ClusterJob>;
  close(): Promise<void>;
}

export const TESTING_AUTHOR = {
  actor: { type: "user", id: "u-1", name: "ada" },
  ip: "192.0.2.1",
  traceId: "a".repeat(32),
} as const;
let restores = 0;

interface TestingOptions {
  clusterId?: string;
  settings?: Partial<BackupSettings>;
  nowMs?: () => number;
}

export function openTestingBackups({
  storage = new FaultyStorage(),
  ...options
}: TestingOptions & { storage?: FaultyStorage } = {}): Promise<TestingBackups> {
  return openTestingBackupsIn(storage, options);
}

/** A node's state, log and backups without its sockets; drills run where they are asked for. */
export async function openTestingBackupsIn<S extends ObjectStorage>(
  storage: S,
  options: TestingOptions = {},
): Promise<TestingBackups<S>> {
  const directory = mkdtempSync(join(tmpdir(), "conflux-backups-"));
  const clusterId = options.clusterId ?? "c1";
  const store = new StateStore({ path: join(directory, "state.db"), clusterId, journal: "wal" });
  const log = new LosingLog(store);
  await log.start();
  const lines: LogLine[] = [];
  const nowMs = options.nowMs ?? Date.now;
  const core: CoreContext = {
    clusterId,
    store,
    log,
    clock: new LeaderClock({ wallMs: nowMs }),
    waiters: new FeedWaiters(),
    metrics: new CoreMetrics(() => log.status()),
    peers: new PeerKnowledge(),
    sealer: null,
    book: new PeerBook(1, []),
    logger: (line) => lines.push(line),
    position: () => ({ cluster_id: clusterId, epoch: store.epoch(), index: store.index() }),
    addressOf: () => ({ peer: "", url: "" }),
    ready: () => true,
  };
  const scratch = join(directory, "backup");
  const service = new BackupService(core, {
    intervalMs: 0,
    keepCount: 10,
    keepDays: 10,
    ...options.settings,
    storage,
    directory: scratch,
    drill: (backupId) => drillBackup({ storage, backupId, directory: scratch, nowMs }),
    nowMs,
  });
  const ended = (jobId: string): Promise<ClusterJob> => service.job(jobId, 60_000);
  return {
    core,
    store,
    log,
    storage,
    service,
    lines,
    directory,
    counted: async (kind, result) => {
      const line = `conflux_backup_jobs_total{kind="${kind}",result="${result}"} `;
      return gaugeIn(await core.metrics.registry.metrics(), line);
    },
    write: async (...names) => {
      for (const name of names) await log.propose(createEntry(0, name, JSON.stringify({ name })).data);
    },
    backup: async () => {
      const job = await ended(service.startBackup(null, null).job_id);
      if (job.backup === null) throw new Error(job.error?.detail ?? "no backup");
      return job.backup.backup_id;
    },
    restore: async (request) => {
      const restore_id = `restore-${(restores += 1)}`;
      const order = { restore_id, force: false, epoch_min: 0, ...request };
      return ended((await service.startRestore(order, TESTING_AUTHOR)).job_id);
    },
    close: async () => {
      await service.close();
      store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The number that stands behind `line` in a page of metrics; 0 when nothing does. */
function gaugeIn(page: string, line: string): number {
  const found = page.split("\n").find((one) => one.startsWith(line));
  return Number(found?.slice(line.length) ?? 0);
}

/** The hash that a backup of this state would bear. */
export function rowsHash(store: StateStore): string {
  const hash = createHash("sha256");
  for (const { bytes } of chunkRows(store.rows())) hash.update(bytes);
  return hash.digest("hex");
}
