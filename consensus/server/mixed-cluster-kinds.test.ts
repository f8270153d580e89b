/**
 * What a cluster takes that is upgraded node by node, for every kind of command and every feature of one that this build
 * has: a kind or a feature that is new is tried here without anybody thinking of it.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeOf } from "../../adapters/core-client/testing/core-conformance.ts";
import { rewrapInput, sealIn } from "../../adapters/core-client/testing/encryption-conformance.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import { MemoryObjectStorage } from "../../adapters/object-storage/memory-object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { COMMAND_KINDS } from "../../domain/command/apply-command.ts";
import type { BatchItem, Command, CommandKind, CommandPayloads } from "../../domain/command/command.ts";
import { isCoreKind, isRestoreKind } from "../../domain/command/command.ts";
import {
  abilitiesNeeded,
  BASE_COMMAND_KINDS,
  COMMAND_FEATURES,
  type CommandFeature,
} from "../../domain/command/command-kinds.ts";
import { parseCommand } from "../../domain/command/command-schema.ts";
import { SAMPLE_CONTENT, sampleCommand } from "../../domain/command/testing-samples.ts";
import { testCommand, testConfigPayload, testRule } from "../../domain/command/testing-commands.ts";
import { grayContentText, grayNamespace } from "../../domain/gray-config/gray-content.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import { OWN_ABILITIES } from "./own-abilities.ts";
import type { PeerAbilities } from "./peer-knowledge.ts";
import { type ClusterMember, startTestingCluster, type TestingCluster } from "./testing-cluster.ts";
import { requireSupported } from "./version-gate.ts";

const isBase = (kind: CommandKind): boolean => BASE_COMMAND_KINDS.includes(kind);
const NEWER_KINDS = COMMAND_KINDS.filter((kind) => !isBase(kind));
/** The one member that is not upgraded yet. */
const OLD = 3;
const abilities: Record<number, PeerAbilities> = { 1: OWN_ABILITIES, 2: OWN_ABILITIES };
const knows = (commandKinds: readonly string[]): PeerAbilities => ({
  ...OWN_ABILITIES,
  build: `with ${commandKinds.length} abilities`,
  commandKinds: [...commandKinds],
});

let cluster: TestingCluster;
beforeAll(async () => {
  abilities[OLD] = knows(BASE_COMMAND_KINDS);
  cluster = await startTestingCluster({
    size: 3,
    abilities,
    encryption: { keys: new MemoryKeyService(["alias/one"]), defaultKeyId: "alias/one" },
    storage: new MemoryObjectStorage(),
    // It comes when another one leads.
    absent: [OLD],
  });
  await cluster.leader();
  await cluster.start(OLD);
  await others();
  await typedConfig();
});
afterAll(() => cluster.close());

/** Waits until a member that is upgraded leads, and all know of each other what they understand. */
async function others(): Promise<void> {
  const { build } = abilities[OLD] ?? OWN_ABILITIES;
  const heard = ({ peers, id }: ClusterMember): boolean =>
    [1, 2, 3].every((other) => other === id || peers.abilitiesOf(other) !== null) &&
    (id === OLD || peers.abilitiesOf(OLD)?.build === build);
  while (![...cluster.members.values()].every(heard)) await new Promise((resolve) => setTimeout(resolve, 10));
  await cluster.lead(1);
}
async function upgrade(to: PeerAbilities): Promise<void> {
  await cluster.stop(OLD);
  abilities[OLD] = to;
  await cluster.start(OLD);
  await others();
}

/** A data source with a secret, whose data key is to be wrapped anew. */
async function typedConfig(): Promise<void> {
  const core = cluster.client();
  const namespace = grayNamespace("demo", "data-source");
  const secret = new TextEncoder().encode("hunter2");
  const sealed = await core.sealSecret({ identity: { ...namespace, name: "pop" }, key_id: null, secret });
  const sealedSecret = JSON.parse(new TextDecoder().decode(sealed)) as Record<string, unknown>;
  const bytes = new TextEncoder().encode(
    grayContentText("data-source", { columns: { source: "pop" }, sealedSecret }),
  );
  const payload = testConfigPayload("pop", sha256Hex(bytes), { namespace });
  await core.propose({ command: testCommand("create_config", payload), attachments: [bytes] });
}

const propose = (command: Command): Promise<unknown> =>
  cluster.client().propose({ command, attachments: [SAMPLE_CONTENT] });

/** Asks a core for something in the way in which callers do. */
async function askKind(kind: CommandKind): Promise<unknown> {
  if (!isCoreKind(kind)) return propose(sampleCommand(kind));
  if (kind === "rewrap_keys") return cluster.client().rewrapKeys(rewrapInput({ app: "none" }));
  if (isRestoreKind(kind)) {
    const { actor, ip } = sampleCommand(kind);
    const order = { backup_id: "none", restore_id: `r-${kind}`, force: false, epoch_min: 0, wait_ms: 0 };
    return cluster.client().startRestore({ ...order, actor, ip });
  }
  return askGate(kind);
}
/** Nobody asks for some: a core makes them itself, having asked this. */
async function askGate(ability: CommandKind | CommandFeature): Promise<void> {
  const { log, peers } = await cluster.leader();
  requireSupported(ability, () => log.status(), peers);
}

const stage = { name: "s", regions: null, labels: { a: "x" }, bake_minutes: null };
const start = (more: Partial<CommandPayloads["start_publish"]>): Command =>
  testCommand("start_publish", {
    config_id: "cfg-c1-0",
    content: null,
    version_id: 1,
    description: "",
    strategy: "canary",
    stages: [stage],
    ...more,
  });
const conditional = { ...testRule(1), when: [{ label: "a", op: "in" as const, values: ["x"] }] };
const item: BatchItem = {
  config_id: "cfg-c1-0",
  expected_revision: 1,
  content: null,
  schema: null,
  description: "",
  releases: null,
  default_version_id: 1,
};
const batch = { kind: "batch_releases" as const, payload: { items: [item], abort_plan: false } };
/** What uses a feature; null: a command that only a core makes. One that is new does not compile without. */
const FEATURES: Record<CommandFeature, Command | (() => Promise<unknown>) | null> = {
  rule_conditions: testCommand("put_releases", { config_id: "cfg-c1-0", releases: [conditional] }),
  config_limit: testCommand(
    "create_config",
    testConfigPayload("limited", sha256Hex(SAMPLE_CONTENT), { max_configs: 9 }),
  ),
  sealed_content: () => sealIn(cluster.client(), "secret", "x"),
  break_glass: testCommand("rollback", { config_id: "cfg-c1-0", version_id: 1 }, { break_glass: "why" }),
  publish_stages: start({ form: 2 }),
  change_of_several: testCommand("request_change", {
    config_id: null,
    config_revision: null,
    operation: batch,
    description: "",
  }),
  publish_gates: start({ stages: [{ ...stage, gates: [{ type: "approval", approvers: 1 }] }] }),
  prune_spares_several: null,
  restore_ids: null,
  judged_content: testCommand("create_version", {
    config_id: "cfg-c1-0",
    content: { attachment: 0, sha256: sha256Hex(SAMPLE_CONTENT) },
    format: null,
    schema: null,
    description: "",
    judged_by: sha256Hex(SAMPLE_CONTENT),
  }),
  rewrap_everywhere: () => cluster.client().rewrapKeys(rewrapInput({ app: "gray" })),
};
const askFeature = (feature: CommandFeature): Promise<unknown> => {
  const ask = FEATURES[feature];
  if (ask === null) return askGate(feature);
  return typeof ask === "function" ? ask() : propose(ask);
};

/** What becomes of what is asked for: refused for which ability, or in the log, whatever the state makes of it there. */
async function outcomeOf(ask: () => Promise<unknown>): Promise<string> {
  const lastIndex = async (): Promise<number> => (await cluster.leader()).log.status().lastIndex;
  const before = await lastIndex();
  let refused: unknown = null;
  try {
    await ask();
  } catch (error) {
    refused = error;
  }
  const entries = (await lastIndex()) - before;
  if (!(refused instanceof ConfluxError && refused.code === "upgrade_in_progress")) {
    return entries > 0 ? "in the log" : `nowhere: ${String(refused)}`;
  }
  const [, ability = "?"] = /^(\w+) is not taken yet: node 3 \(build with/.exec(refused.message) ?? [];
  return entries === 0 ? `not yet: ${ability}` : "refused, and in the log";
}

it("R5 each kind has a sample that cores take, and that needs nothing but its kind", () => {
  for (const kind of COMMAND_KINDS) {
    const command = sampleCommand(kind);
    expect(parseCommand(command)).toEqual({ ok: true, command });
    const asksFor = kind === "request_change" || kind === "edit_change" ? ["rollback"] : [];
    expect(abilitiesNeeded(command)).toEqual([kind, ...asksFor]);
  }
});

describe("R5 while one voter knows the first release alone", () => {
  it.each(COMMAND_KINDS.filter(isBase))("R5 %s goes into the log", async (kind) => {
    expect(await outcomeOf(() => askKind(kind))).toBe("in the log");
  });
  it.each(NEWER_KINDS)("R5 %s is refused before the log", async (kind) => {
    // A restore asks for all of its kinds at once.
    const named = isRestoreKind(kind) ? "begin_restore" : kind;
    expect(await outcomeOf(() => askKind(kind))).toBe(`not yet: ${named}`);
  });
});

describe("R5 while one voter knows every kind and no feature of one", () => {
  beforeAll(() => upgrade(knows(COMMAND_KINDS)));

  it.each(COMMAND_FEATURES)("R5 %s is refused before the log", async (feature) => {
    expect(await outcomeOf(() => askFeature(feature))).toBe(`not yet: ${feature}`);
  });
  it("R5 a re-wrapping of what is no typed config's goes into the log", async () => {
    expect(await outcomeOf(() => askKind("rewrap_keys"))).toBe("in the log");
  });
});

describe("R5 once every voter knows all", () => {
  beforeAll(() => upgrade(OWN_ABILITIES));

  it.each(NEWER_KINDS.filter((kind) => !isCoreKind(kind) || kind === "rewrap_keys"))(
    "R5 %s goes into the log",
    async (kind) => {
      expect(await outcomeOf(() => askKind(kind))).toBe("in the log");
    },
  );
  it.each(NEWER_KINDS.filter((kind) => isCoreKind(kind) && kind !== "rewrap_keys"))(
    "R5 %s is no longer held back",
    async (kind) => {
      // There is no backup to restore; what a core makes itself has been asked for.
      expect(await codeOf(askKind(kind))).toBe(isRestoreKind(kind) ? "not_found" : "accepted");
    },
  );
  it.each(COMMAND_FEATURES.filter((feature) => FEATURES[feature] !== null))(
    "R5 %s goes into the log",
    async (feature) => {
      expect(await outcomeOf(() => askFeature(feature))).toBe("in the log");
    },
  );
  it.each(COMMAND_FEATURES.filter((feature) => FEATURES[feature] === null))(
    "R5 %s is no longer held back",
    async (feature) => {
      expect(await codeOf(askFeature(feature))).toBe("accepted");
    },
  );
});
