import { createHash, randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { MemoryObjectStorage } from "../../adapters/object-storage/memory-object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import { BASE_COMMAND_KINDS } from "../../domain/command/command-kinds.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import { OWN_ABILITIES } from "./own-abilities.ts";
import type { PeerAbilities } from "./peer-knowledge.ts";
import { type ClusterMember, startTestingCluster, type TestingCluster } from "./testing-cluster.ts";

/** A storage whose reads a test can hold. */
class HeldStorage extends MemoryObjectStorage {
  beforeGet: (name: string) => Promise<void> | void = () => undefined;
  override async get(name: string, bytesMax: number): Promise<Uint8Array> {
    await this.beforeGet(name);
    return super.get(name, bytesMax);
  }
}
/** Bytes of a config's content; random ones, so that five of them are two chunks of a backup. */
const LARGE = 1024 * 1024;
const CHUNKS = 2;
const AUTHOR = { actor: { type: "user", id: "u-1", name: "ada" }, ip: "192.0.2.1" } as const;
const HEAD = { ...AUTHOR, trace_id: "a".repeat(32) };

let cluster: TestingCluster;
let storage: HeldStorage;
afterEach(() => cluster.close());

async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 10));
}
async function write(...names: string[]): Promise<void> {
  for (const name of names) {
    const bytes = randomBytes(LARGE);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const payload = testConfigPayload(name, sha256, { format: "binary" });
    const command = testCommand("create_config", payload, {
      idempotency: { scope: sha256, digest: sha256 },
    });
    await cluster.client().propose({ command, attachments: [bytes] });
  }
}
const all = (): ClusterMember[] => [...cluster.members.values()];
async function backup(): Promise<string> {
  const job = await cluster.client().startBackup({ request_id: null, wait_ms: 20_000, head: HEAD });
  if (job.backup_id === null || job.state !== "complete") throw new Error(JSON.stringify(job));
  expect(job.backup?.chunks).toBe(CHUNKS);
  return job.backup_id;
}
const restore = (backup_id: string, restore_id: string) =>
  cluster
    .client()
    .startRestore({ backup_id, restore_id, force: false, epoch_min: 0, ...AUTHOR, wait_ms: 20_000 });
/** What one node serves by itself, in one answer: the epoch, and the names of its configs. */
async function served(member: ClusterMember): Promise<{ epoch: number; names: string[] }> {
  const query = { tenant: "demo", limit: 200 };
  const { epoch, items } = await cluster.client(member).listConfigs(query, { consistency: "stale" });
  return { epoch, names: items.map(({ name }) => name).toSorted() };
}
/** Waits until all have applied the same, and expects one state on all of them. */
async function expectOneState(): Promise<void> {
  await until(() => new Set(all().map(({ store }) => store.lastApplied())).size === 1);
  expect(new Set(all().map(({ store }) => store.stateHash())).size).toBe(1);
  for (const { store } of all()) {
    expect(checkInvariants(store)).toEqual([]);
    expect(store.hasKey(stateKey.pendingRestore)).toBe(false);
  }
}
const known = (by: ClusterMember, build: string, ids: number[]): boolean =>
  ids.every((id) => id === by.id || by.peers.abilitiesOf(id)?.build === build);

describe("R13 a restore in a cluster that is being upgraded", () => {
  it("R13 is refused, naming the voter that does not know it, writes nothing, and is done once that one does", async () => {
    storage = new HeldStorage();
    const older = { ...OWN_ABILITIES, build: "0.0.1", commandKinds: BASE_COMMAND_KINDS };
    const abilities: Record<number, PeerAbilities> = { 3: older };
    cluster = await startTestingCluster({ size: 3, abilities, storage });
    await write("a", "b", "c", "d", "e");
    const backup_id = await backup();
    await write("f");
    const { build } = OWN_ABILITIES;
    await until(() => all().every((by) => known(by, build, [1, 2]) && known(by, older.build, [3])));
    await cluster.lead(1);
    const before = (await cluster.leader()).log.status().lastIndex;

    const refused = await restore(backup_id, "r-1").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConfluxError);
    expect(refused).toMatchObject({ code: "upgrade_in_progress", retryAfterS: 5 });
    expect((refused as ConfluxError).message).toContain("node 3 (build 0.0.1)");
    expect((await cluster.leader()).log.status().lastIndex).toBe(before);
    // The same voter knows no command for what failed, either.
    expect(cluster.lines).toContainEqual(
      expect.objectContaining({ msg: "an operation is not in the audit" }),
    );
    await write("g");
    await expectOneState();
    for (const member of all()) {
      expect(await served(member)).toEqual({ epoch: 1, names: ["a", "b", "c", "d", "e", "f", "g"] });
    }

    await cluster.stop(3);
    abilities[3] = OWN_ABILITIES;
    await cluster.start(3);
    await until(() => all().every((by) => known(by, build, [1, 2, 3])));
    await cluster.leader();
    expect(await restore(backup_id, "r-1")).toMatchObject({ state: "complete", restore: { epoch: 2 } });
    await expectOneState();
    for (const member of all()) {
      expect(await served(member)).toEqual({ epoch: 2, names: ["a", "b", "c", "d", "e"] });
    }
  });
});

describe("R13 R5 a restore in a cluster of five", () => {
  it("R13 every node comes to one state, one that was down too, and none ever serves a mixture", async () => {
    storage = new HeldStorage();
    cluster = await startTestingCluster({ size: 5, storage });
    const leader = await cluster.leader();
    await write("a", "b", "c", "d", "e");
    const backup_id = await backup();
    await write("f", "g");
    const [down] = all().filter(({ id }) => id !== leader.id);
    await cluster.stop(down!.id);
    const before = { epoch: 1, names: ["a", "b", "c", "d", "e", "f", "g"] };
    const after = { epoch: 2, names: ["a", "b", "c", "d", "e"] };
    await until(() => known(leader, OWN_ABILITIES.build, [1, 2, 3, 4, 5]));

    const looks: Promise<unknown>[] = [];
    storage.beforeGet = async () => {
      for (const member of all()) looks.push(served(member));
      await Promise.all(looks);
    };
    const restored = restore(backup_id, "r-1");
    expect(await restored).toMatchObject({ state: "complete", restore: { epoch: 2 } });
    storage.beforeGet = () => undefined;
    const seen = await Promise.all(looks);
    // The manifest, then each chunk for the proof and once more for the log.
    expect(seen).toHaveLength(4 * (2 + 2 * CHUNKS));
    for (const one of seen) expect(one).toEqual(before);

    await cluster.start(down!.id);
    await cluster.leader();
    await expectOneState();
    for (const member of all()) expect(await served(member)).toEqual(after);
    await write("h");
    await expectOneState();
    expect((await served(all()[0]!)).names).toContain("h");
  });

  it("R13 leadership that passes on between two chunks: nothing has changed, and the same request at the new leader is done once", async () => {
    storage = new HeldStorage();
    cluster = await startTestingCluster({ size: 5, storage });
    await write("a", "b", "c", "d", "e");
    const backup_id = await backup();
    await write("f");
    const leader = await cluster.leader();
    await until(() => all().every((by) => known(by, OWN_ABILITIES.build, [1, 2, 3, 4, 5])));
    const held = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    let reads = 0;
    storage.beforeGet = async (name) => {
      if (!name.endsWith("000001.zst")) return;
      reads += 1;
      if (reads !== 2) return;
      reached.resolve();
      await held.promise;
    };
    const cutOff = cluster.client(leader).startRestore({
      ...AUTHOR,
      backup_id,
      restore_id: "r-1",
      force: false,
      epoch_min: 0,
      wait_ms: 20_000,
    });
    await reached.promise;
    expect(leader.store.json(stateKey.pendingRestore)).toMatchObject({ staged: 1 });
    const next = await cluster.lead((leader.id % 5) + 1);
    for (const member of all()) expect((await served(member)).names).toContain("f");
    const again = cluster.client(next).startRestore({
      ...AUTHOR,
      backup_id,
      restore_id: "r-1",
      force: false,
      epoch_min: 0,
      wait_ms: 20_000,
    });
    expect(await again).toMatchObject({ state: "complete", restore: { epoch: 2 } });
    held.resolve();
    expect(await cutOff).toMatchObject({ state: "failed", error: { code: "not_proposed" } });
    await expectOneState();

    // Leading again, the first one knows better than its own failed job.
    await cluster.lead(leader.id);
    await write("g");
    expect(await restore(backup_id, "r-1")).toMatchObject({ state: "complete", restore: { epoch: 2 } });
    expect((await served(leader)).names).toEqual(["a", "b", "c", "d", "e", "g"]);
    await expectOneState();
  });
});
