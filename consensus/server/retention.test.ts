import { afterEach, describe, expect, it } from "vitest";
import { MemoryObjectStorage } from "../../adapters/object-storage/memory-object-storage.ts";
import { testEncrypted, testEnvelope, testSealed } from "../../domain/encryption/testing-envelopes.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { testRule } from "../../domain/command/testing-commands.ts";
import { readVersion } from "../../domain/config/read-configs.ts";
import { PRUNE_VERSIONS_MAX } from "../../domain/limits.ts";
import { sha256 } from "./backup-chunks.ts";
import { readArchivedVersion } from "./retention-archive.ts";
import { RETENTION_COMMANDS_MAX, RETENTION_CONFIGS_MAX } from "./retention-service.ts";
import { FaultyStorage } from "./testing-backups.ts";
import { configOf, openTestingRetention, type TestingRetentionNode } from "./testing-retention.ts";

const open: { close(): Promise<void> }[] = [];
async function start(): Promise<TestingRetentionNode>;
async function start<S extends MemoryObjectStorage>(storage: S): Promise<TestingRetentionNode<S>>;
async function start(storage: MemoryObjectStorage = new FaultyStorage()): Promise<unknown> {
  const node = await openTestingRetention(storage);
  open.push(node);
  return node;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

/** A storage that lets a test act before an object is written, or tell another one than is there. */
class HookedStorage extends MemoryObjectStorage {
  beforePut: (name: string) => Promise<void> = async () => undefined;
  garbles = (_name: string): boolean => false;

  override async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.beforePut(name);
    await super.put(name, bytes);
  }
  override async get(name: string, bytesMax: number): Promise<Uint8Array> {
    const bytes = await super.get(name, bytesMax);
    if (this.garbles(name)) bytes[bytes.byteLength - 10]! ^= 1;
    return bytes;
  }
}

const numberOf = (name: string): number => Number(/\/(\d{16})-/.exec(name)?.[1]);
const MINUTE_MS = 60_000;

describe("C10 the retention, as the leader enforces it", () => {
  it("C10 archives what is due, proves it, and removes it; a repetition finds nothing to do", async () => {
    const node = await start();
    const id = await node.config("a", 10, { retention: { count: 3 }, releases: [testRule(1)] });
    const other = await node.config("b", 3, { retention: { count: 3 } });
    const before = configOf(node, id);
    const versions = [2, 3, 4, 5, 6, 7].map((n) => {
      const read = readVersion(node.store, { config_id: id, version_id: n });
      if (!read.ok) throw new Error(read.detail);
      return read.version;
    });
    await node.retention.tick();
    expect([node.versions(id), node.versions(other)]).toEqual([
      [1, 8, 9, 10],
      [1, 2, 3],
    ]);
    expect(configOf(node, id)).toEqual(before);
    const names = await node.archived();
    expect(names.map(numberOf)).toEqual([2, 3, 4, 5, 6, 7]);
    for (const [i, name] of names.entries()) {
      const { archived, content } = await readArchivedVersion(node.storage, name);
      expect(new TextDecoder().decode(content)).toBe(`a version ${i + 2}`);
      expect(archived.config).toEqual({
        id,
        tenant: "demo",
        app: "shop",
        env: "prod",
        name: "a",
        encrypted: false,
      });
      const { version_id, sha256: hash, creator, created_at_ms } = versions[i]!;
      expect(archived.version).toMatchObject({
        version_id,
        sha256: hash,
        creator,
        created_at: new Date(created_at_ms).toISOString(),
        schema: null,
        sealed: null,
      });
      expect(name).toContain(`-${sha256(await node.storage.get(name, 1e6))}.json`);
    }
    expect(node.lines.at(-1)).toMatchObject({ level: "info", config: "demo/shop/prod/a", versions: "2-7" });
    expect(await node.metric("conflux_retention_removed_versions_total")).toBe(6);
    expect(await node.metric("conflux_retention_last_round_timestamp_seconds")).toBe(node.at.nowMs / 1000);
    const [proposals, calls] = [node.log.proposals, node.storage.calls];
    node.at.nowMs += MINUTE_MS;
    await node.retention.tick();
    expect([node.log.proposals, node.storage.calls]).toEqual([proposals, calls]);
    expect(node.broken()).toEqual([]);
  });

  it("C10 a storage that fails at any call removes nothing, and all is done once it is back", async () => {
    for (let failAt = 1; failAt <= 8; failAt += 1) {
      const node = await start();
      const id = await node.config("a", 5);
      const proposals = node.log.proposals;
      Object.assign(node.storage, { failAt: node.storage.calls + failAt, failures: 1 });
      await node.retention.tick();
      expect([node.versions(id), node.log.proposals]).toEqual([[1, 2, 3, 4, 5], proposals]);
      expect(node.lines.at(-1)).toMatchObject({
        level: "warn",
        error: expect.stringContaining("storage is away") as unknown,
      });
      expect(await node.metric("conflux_retention_failures_total")).toBe(1);
      // Not at once: a storage that is away is left alone for a while.
      await node.retention.tick();
      expect(node.versions(id)).toHaveLength(5);
      node.at.nowMs += MINUTE_MS;
      await node.retention.tick();
      expect(node.versions(id)).toEqual([5]);
      expect((await node.archived()).map(numberOf)).toEqual([1, 2, 3, 4]);
      expect(node.broken()).toEqual([]);
    }
  });

  it("C10 a storage that gives back something else costs that config its turn, and no other", async () => {
    const node = await start(new HookedStorage());
    const id = await node.config("a", 3);
    const other = await node.config("b", 3);
    node.storage.garbles = (name) => name.includes(`/${id}/`) && numberOf(name) === 2;
    await node.retention.tick();
    expect([node.versions(id), node.versions(other)]).toEqual([[1, 2, 3], [3]]);
    expect(node.lines).toContainEqual(
      expect.objectContaining({
        config_id: id,
        error: expect.stringContaining("is damaged") as unknown,
      }),
    );
    node.storage.garbles = () => false;
    node.at.nowMs += MINUTE_MS;
    await node.retention.tick();
    expect(node.versions(id)).toEqual([3]);
  });

  it("C10 a crash between archive and removal does no harm: the same versions are the same objects", async () => {
    const node = await start();
    const id = await node.config("a", 5);
    node.log.failAt = node.log.proposals + 1;
    await node.retention.tick();
    const names = await node.archived();
    expect([node.versions(id), names.map(numberOf)]).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4],
    ]);
    Object.assign(node.log, { failAt: Infinity, failure: null });
    await node.again().tick();
    expect([node.versions(id), await node.archived()]).toEqual([[5], names]);
  });

  it("C10 a rule that is set while its version is archived wins", async () => {
    const node = await start(new HookedStorage());
    const id = await node.config("a", 6);
    node.storage.beforePut = async (name) => {
      if (numberOf(name) !== 4) return;
      await node.run("put_releases", { config_id: id, releases: [testRule(2)] });
    };
    await node.retention.tick();
    expect(node.versions(id)).toEqual([2, 6]);
    // What lies in the archive for nothing is no harm.
    expect((await node.archived()).map(numberOf)).toEqual([1, 2, 3, 4, 5]);
    expect(node.broken()).toEqual([]);
  });

  it("C10 so does a config that is deleted meanwhile, and a retention that keeps more", async () => {
    const node = await start(new HookedStorage());
    const gone = await node.config("a", 3);
    const kept = await node.config("b", 3);
    node.storage.beforePut = async (name) => {
      if (name.includes(`/${gone}/`) && numberOf(name) === 2)
        await node.run("delete_config", { config_id: gone });
      if (name.includes(`/${kept}/`))
        await node.run("set_retention", { config_id: kept, retention: { days: 1 } });
    };
    await node.retention.tick();
    expect([node.versions(gone), node.versions(kept)]).toEqual([[], [1, 2, 3]]);
    expect(node.broken()).toEqual([]);
    node.storage.beforePut = async () => undefined;
    await node.run("set_retention", { config_id: kept, retention: { count: 2 } });
    node.at.nowMs += MINUTE_MS;
    await node.retention.tick();
    expect(node.versions(kept)).toEqual([2, 3]);
  });

  it("K5 C10 of an encrypted config its envelope is archived, and nobody opens it", async () => {
    const node = await start();
    const envelopes = ["b25l", "dHdv"].map((text) => testEnvelope("secret", text));
    const [one, two] = envelopes.map((bytes, i) => ({ ...testSealed(i + 1), sha256: sha256(bytes) }));
    const created = testEncrypted("secret", 1, { content: one!, retention: { count: 1 } });
    const { config } = await node.run("create_config", created.payload, [envelopes[0]!]);
    await node.run(
      "create_version",
      { config_id: config.id, content: two!, format: null, schema: null, description: "" },
      [envelopes[1]!],
    );
    await node.retention.tick();
    const [name = ""] = await node.archived();
    const { archived, content } = await readArchivedVersion(node.storage, name);
    expect([...content]).toEqual([...envelopes[0]!]);
    expect([archived.config.encrypted, archived.version.sealed]).toEqual([true, one!.sealed]);
    expect(node.versions(config.id)).toEqual([2]);
  });
});

describe("C10 what one look takes", () => {
  it("C10 is bounded by commands: the next one goes on", async () => {
    const node = await start();
    const most = RETENTION_COMMANDS_MAX * PRUNE_VERSIONS_MAX;
    const id = await node.config("a", most + 21);
    await node.retention.tick();
    expect(node.versions(id)).toHaveLength(21);
    await node.retention.tick();
    expect(node.versions(id)).toEqual([most + 21]);
  });

  it("C10 and by configs: the next one goes on, and the round begins anew after its pause", async () => {
    const node = await start();
    const ids: string[] = [];
    for (let n = 1; n <= RETENTION_CONFIGS_MAX + 5; n += 1) ids.push(await node.config(`n${n}`, 1));
    const [last = ""] = ids.toSorted().slice(-1);
    await node.addVersion(last, "more");
    await node.retention.tick();
    expect(node.versions(last)).toEqual([1, 2]);
    await node.retention.tick();
    expect(node.versions(last)).toEqual([2]);
    await node.addVersion(last, "and more");
    await node.retention.tick();
    expect(node.versions(last)).toEqual([2, 3]);
    node.at.nowMs += 1000;
    await node.retention.tick();
    await node.retention.tick();
    expect(node.versions(last)).toEqual([3]);
  });

  it("C10 is nothing on a node that does not lead, or is stopping", async () => {
    const node = await start(new HookedStorage());
    const id = await node.config("a", 3);
    node.log.failure = new Error("follows");
    await node.retention.tick();
    expect(await node.archived()).toEqual([]);
    node.log.failure = null;
    const closed: Promise<void>[] = [];
    node.storage.beforePut = async () => void closed.push(node.retention.close());
    await node.retention.tick();
    await Promise.all(closed);
    expect([closed.length, node.versions(id)]).toEqual([1, [1, 2, 3]]);
  });

  it("C10 R0 is nothing while some voter does not know the command", async () => {
    const node = await start();
    const id = await node.config("a", 3);
    const status = node.log.status.bind(node.log);
    const other = { ...status().members[0]!, nodeId: 2 };
    node.log.status = () => ({ ...status(), members: [...status().members, other] });
    await node.retention.tick();
    expect(node.lines.at(-1)).toMatchObject({
      level: "info",
      error: expect.stringContaining("prune_versions is not taken yet: node 2") as unknown,
    });
    expect([node.versions(id), await node.archived()]).toEqual([[1, 2, 3], []]);
    expect(await node.metric("conflux_retention_failures_total")).toBe(0);
    node.log.status = status;
    node.at.nowMs += MINUTE_MS;
    await node.retention.tick();
    expect(node.versions(id)).toEqual([3]);
  });
});

describe("C10 R13 backup and restore", () => {
  it("C10 R13 a backup from before brings versions back, and they are removed into the same objects again", async () => {
    const node = await start();
    const id = await node.config("a", 4);
    const backup_id = await node.backup();
    await node.retention.tick();
    const names = await node.archived();
    expect(node.versions(id)).toEqual([4]);
    expect(await node.restore({ backup_id })).toMatchObject({ state: "complete" });
    expect(node.versions(id)).toEqual([1, 2, 3, 4]);
    node.at.nowMs += MINUTE_MS;
    await node.retention.tick();
    expect([node.versions(id), await node.archived()]).toEqual([[4], names]);
    expect(node.broken()).toEqual([]);
  });

  it("C10 R13 numbers given anew after a restore do not overwrite what was archived under them", async () => {
    const node = await start();
    const id = await node.config("a", 1);
    const backup_id = await node.backup();
    await node.addVersion(id, "before");
    await node.addVersion(id, "newest before");
    await node.retention.tick();
    await node.restore({ backup_id });
    node.at.nowMs += MINUTE_MS;
    await node.addVersion(id, "after");
    await node.addVersion(id, "newest after");
    await node.retention.tick();
    const names = (await node.archived()).filter((name) => numberOf(name) === 2);
    const contents = await Promise.all(
      names.map(async (name) =>
        new TextDecoder().decode((await readArchivedVersion(node.storage, name)).content),
      ),
    );
    expect(contents.toSorted()).toEqual(["after", "before"]);
  });

  it("C10 R13 a backup from after knows what was removed: proven, restored, and told", async () => {
    const node = await start();
    const id = await node.config("a", 4, { releases: [testRule(2)] });
    await node.retention.tick();
    const backup_id = await node.backup();
    const job = await node.service.startDrill(backup_id, {
      actor: { type: "user", id: "u-1", name: "ada" },
      ip: "",
      traceId: "a".repeat(32),
    });
    expect((await node.service.job(job.job_id, 60_000)).drill).toMatchObject({ proven: true });
    await node.run("delete_config", { config_id: id });
    expect(node.store.hasKey(stateKey.removedVersions(id))).toBe(false);
    await node.restore({ backup_id });
    expect(node.versions(id)).toEqual([2, 4]);
    expect(readVersion(node.store, { config_id: id, version_id: 3 })).toMatchObject({
      code: "not_found",
      detail: expect.stringContaining("archived and removed by the config's retention") as unknown,
    });
    await node.addVersion(id, "next");
    expect(node.versions(id)).toEqual([2, 4, 5]);
    expect(node.broken()).toEqual([]);
  });
});
