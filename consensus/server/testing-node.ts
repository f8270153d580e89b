import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContentSealerOptions } from "../../adapters/kms/content-sealer.ts";
import { MemoryObjectStorage } from "../../adapters/object-storage/memory-object-storage.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { drillBackup } from "./restore-drill.ts";
import type { LogLine } from "./core-context.ts";
import { type CoreNode, startCoreNode } from "./core-node.ts";
import { TestingLog } from "./testing-log.ts";

export const TESTING_SERVICE_KEY = "testing-service-key-testing-service-key";

export interface TestingNode extends CoreNode {
  log: TestingLog<ApplyOutcome>;
  lines: LogLine[];
  /** Where its files are. */
  directory: string;
}

/** A node with real files and a real socket in a directory of its own; `stop` removes the directory. */
export async function startTestingNode(
  options: { port?: number; feedWaitersMax?: number; encryption?: ContentSealerOptions } = {},
): Promise<TestingNode> {
  const directory = mkdtempSync(join(tmpdir(), "conflux-core-"));
  const storage = new MemoryObjectStorage();
  const scratch = join(directory, "backup");
  const lines: LogLine[] = [];
  const logs: TestingLog<ApplyOutcome>[] = [];
  const node = await startCoreNode({
    clusterId: "c1",
    statePath: join(directory, "state.db"),
    journal: "wal",
    serviceKey: TESTING_SERVICE_KEY,
    host: "127.0.0.1",
    port: options.port ?? 0,
    backup: {
      storage,
      directory: scratch,
      intervalMs: 0,
      keepCount: 100,
      keepDays: 100,
      drill: (backupId) => drillBackup({ storage, backupId, directory: scratch, nowMs: Date.now }),
    },
    encryption: options.encryption ?? null,
    ...(options.feedWaitersMax === undefined ? {} : { feedWaitersMax: options.feedWaitersMax }),
    openLog: async (machine) => {
      const log = new TestingLog(machine);
      logs.push(log);
      return log;
    },
    logger: (line) => lines.push(line),
  });
  const [log] = logs;
  if (log === undefined) throw new Error("the node opened no log");
  const stop = async (): Promise<void> => {
    await node.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { ...node, stop, log, lines, directory };
}
