import { encodeCommand } from "../../contracts/core/command-codec.ts";
import { OBJECT_LIST_MAX, type ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import type { CommandKind, CommandPayloads } from "../../domain/command/command.ts";
import type { CommandResults } from "../../domain/command/command-result.ts";
import { scanAll } from "../../domain/command/scan-all.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import type { Config, ConfigVersion, Retention } from "../../domain/config/config.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { encodeLogEntry } from "../state/log-entry.ts";
import { sha256 } from "./backup-chunks.ts";
import { RetentionService } from "./retention-service.ts";
import { type FaultyStorage, openTestingBackupsIn, type TestingBackups } from "./testing-backups.ts";

export interface TestingRetentionNode<S extends ObjectStorage = FaultyStorage> extends TestingBackups<S> {
  /** Enforces the retention; a test says when. */
  retention: RetentionService;
  /** Its clock, and the log's. */
  at: { nowMs: number };
  /** Another service on the same state and storage, as after a crash. */
  again(): RetentionService;
  run<K extends CommandKind>(
    kind: K,
    payload: CommandPayloads[K],
    attachments?: Uint8Array[],
  ): Promise<CommandResults[K]>;
  /** A config with so many versions, `<name> version <n>` each; answers its id. */
  config(
    name: string,
    versions: number,
    more?: { retention?: Retention; releases?: ReleaseRule[] },
  ): Promise<string>;
  addVersion(configId: string, text: string): Promise<void>;
  versions(configId: string): number[];
  /** Names of archived versions, ascending. */
  archived(): Promise<string[]>;
  /** The number that its metrics say. */
  metric(name: string): Promise<number>;
  broken(): string[];
}

export async function openTestingRetention<S extends ObjectStorage = FaultyStorage>(
  storage: S,
): Promise<TestingRetentionNode<S>> {
  const at = { nowMs: 1_700_000_000_000 };
  const nowMs = (): number => at.nowMs;
  const node = await openTestingBackupsIn(storage, { nowMs });
  const { core, log, store } = node;
  const open = (): RetentionService => new RetentionService(core, { storage, nowMs, intervalMs: 1000 });
  const run: TestingRetentionNode["run"] = async (kind, payload, attachments = []) => {
    const command = testCommand(kind, payload);
    const { result } = await log.propose(encodeLogEntry(at.nowMs, encodeCommand({ command, attachments })));
    if (!result.ok) throw new Error(`${result.code}: ${result.detail}`);
    return result.result as CommandResults[typeof kind];
  };
  const addVersion = async (config_id: string, text: string): Promise<void> => {
    const bytes = new TextEncoder().encode(text);
    const content = { attachment: 0, sha256: sha256(bytes) };
    await run("create_version", { config_id, content, format: null, schema: null, description: "" }, [bytes]);
  };
  const retention = open();
  return {
    ...node,
    at,
    retention,
    again: () => {
      // A node has one; here the second takes the first one's metrics over.
      for (const name of METRICS) core.metrics.registry.removeSingleMetric(name);
      return open();
    },
    run,
    addVersion,
    config: async (name, versions, { retention: kept = { count: 1 }, releases = [] } = {}) => {
      const text = (n: number): string => `${name} version ${n}`;
      const bytes = new TextEncoder().encode(text(1));
      const payload = testConfigPayload(name, sha256(bytes), { retention: kept, format: "text" });
      const { config } = await run("create_config", payload, [bytes]);
      for (let n = 2; n <= versions; n += 1) await addVersion(config.id, text(n));
      if (releases.length > 0) await run("put_releases", { config_id: config.id, releases });
      return config.id;
    },
    versions: (configId) =>
      [...scanAll(store, stateKey.versionPrefix(configId))].map(
        ({ value }) => (value as ConfigVersion).version_id,
      ),
    archived: async () => {
      const names: string[] = [];
      let after: string | null = null;
      do {
        const page = await storage.list("c1/versions/", { after, limit: OBJECT_LIST_MAX });
        names.push(...page.items.map(({ name }) => name));
        after = page.next;
      } while (after !== null);
      return names;
    },
    metric: async (name) => {
      const page = await core.metrics.registry.metrics();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1]);
    },
    broken: () => checkInvariants(store),
    close: async () => {
      await retention.close();
      await node.close();
    },
  };
}

const METRICS = [
  "conflux_retention_removed_versions_total",
  "conflux_retention_archived_bytes_total",
  "conflux_retention_failures_total",
  "conflux_retention_last_round_timestamp_seconds",
];

export function configOf(node: Pick<TestingBackups, "store">, id: string): Config {
  return node.store.json(stateKey.config(id)) as Config;
}
