// Over 400 lines: each restore needs the same clusters, backups and comparisons.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import { readFeed } from "../../domain/command/read-feed.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { StateStore } from "../state/state-store.ts";
import { createEntry } from "../state/testing-entries.ts";
import { readManifest, sealManifest } from "./backup-read.ts";
import {
  FaultyStorage,
  openTestingBackups,
  rowsHash,
  TESTING_AUTHOR,
  type TestingBackups,
} from "./testing-backups.ts";

const open: TestingBackups[] = [];
async function start(options: Parameters<typeof openTestingBackups>[0] = {}): Promise<TestingBackups> {
  const node = await openTestingBackups(options);
  open.push(node);
  return node;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});
const named = (node: TestingBackups, name: string): boolean =>
  node.store.hasKey(stateKey.configByName("demo", "shop", "prod", name));
const scratchOf = (node: TestingBackups): string[] => readdirSync(join(node.directory, "backup"));
const all = { after: null, limit: 1000 };

describe("R13 a backup", () => {
  it("R13 is the state at its index, whatever is written meanwhile", async () => {
    const node = await start();
    await node.write(...Array.from({ length: 300 }, (_, i) => `a${i}`));
    const job = node.service.startBackup(null, null);
    for (let i = 0; i < 200; i += 1) await node.write(`b${i}`);
    const { backup } = await node.service.job(job.job_id, 60_000);
    expect(backup).toMatchObject({ cluster_id: "c1", epoch: 1, term: 1 });
    const index = backup?.index ?? 0;
    expect(index).toBeGreaterThanOrEqual(300);
    const replayed = new StateStore({
      path: join(node.directory, "replay.db"),
      clusterId: "c1",
      journal: "wal",
    });
    for (let i = 1; i <= index; i += 1) {
      const name = i <= 300 ? `a${i - 1}` : `b${i - 301}`;
      const { data } = createEntry(0, name, JSON.stringify({ name }));
      replayed.apply([{ index: i, data }]);
    }
    expect(backup?.state_hash).toBe(rowsHash(replayed));
    replayed.close();
    expect(scratchOf(node)).toEqual([]);
  });

  it("R13 K5 holds the rows of the state and nothing else of the node", async () => {
    const node = await start();
    await node.write("a", "b");
    const id = await node.backup();
    const manifest = await readManifest(node.storage, id);
    expect(manifest).toMatchObject({ rows: 10, membership: { voters: [1], learners: [] } });
    const { items } = await node.storage.list("", all);
    expect(items.map(({ name }) => name)).toEqual([`c1/chunks/${id}/000000.zst`, `c1/manifests/${id}.json`]);
  });

  it("R13 two at once: the second is refused and told of the first", async () => {
    const node = await start();
    await node.write("a");
    const first = node.service.startBackup("req-1", null);
    expect(() => node.service.startBackup("req-2", null)).toThrow(first.job_id);
    expect(node.service.startBackup("req-1", null)).toBe(first);
    await node.service.job("req-1", 60_000);
    expect(node.service.startBackup("req-1", null).state).toBe("complete");
  });

  it("R13 a storage that fails at any call leaves no backup, an unhurt node, and what the next prune sweeps away", async () => {
    let nowMs = 1_700_000_000_000;
    const counting = await start();
    await counting.write("a");
    await counting.backup();
    for (let failAt = 1; failAt <= counting.storage.calls; failAt += 1) {
      const storage = new FaultyStorage(() => nowMs);
      const node = await start({ storage, nowMs: () => nowMs });
      await node.write("a");
      storage.failAt = failAt;
      const job = await node.service.job(node.service.startBackup(null, null).job_id, 60_000);
      expect(job).toMatchObject({ state: "failed", error: { code: "unavailable" }, backup: null });
      expect(node.lines.at(-1)).toMatchObject({ level: "error", msg: "backup failed" });
      storage.failAt = Infinity;
      expect(await node.service.list({ cursor: null, limit: 10 })).toEqual({ items: [], next_cursor: null });
      await node.write("b");
      expect(named(node, "b")).toBe(true);
      expect(scratchOf(node)).toEqual([]);
      nowMs += 25 * 60 * 60 * 1000;
      const id = await node.backup();
      const { items } = await storage.list("", all);
      expect(items.every(({ name }) => name.includes(id))).toBe(true);
    }
  });

  it("R13 is kept by count and by days, the newest for ever, and listed newest first, page by page", async () => {
    let nowMs = 1_700_000_000_000;
    const day = 24 * 60 * 60 * 1000;
    const node = await start({ nowMs: () => nowMs, settings: { keepCount: 3, keepDays: 2 } });
    await node.write("a");
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      ids.push(await node.backup());
      nowMs += 1000;
    }
    const first = await node.service.list({ cursor: null, limit: 2 });
    expect(first.items.map(({ backup_id }) => backup_id)).toEqual([ids[4], ids[3]]);
    const rest = await node.service.list({ cursor: first.next_cursor, limit: 2 });
    expect(rest.items.map(({ backup_id }) => backup_id)).toEqual([ids[2]]);
    expect(rest.next_cursor).toBeNull();
    nowMs += 3 * day;
    const newest = await node.backup();
    const { items } = await node.storage.list("", all);
    expect(items.every(({ name }) => name.includes(newest))).toBe(true);
  });
});

describe("R13 the schedule", () => {
  it("R13 takes a backup an interval after the newest one, on the leader alone, and again after a failure", async () => {
    let nowMs = 1_700_000_000_000;
    const storage = new FaultyStorage(() => nowMs);
    const hour = 60 * 60 * 1000;
    const node = await start({ storage, nowMs: () => nowMs, settings: { intervalMs: hour } });
    await node.write("a");
    const count = async (): Promise<number> => {
      await node.service.tick();
      await node.service.close();
      return (await node.service.list({ cursor: null, limit: 10 })).items.length;
    };
    expect(await count()).toBe(1);
    nowMs += hour - 1;
    expect(await count()).toBe(1);
    nowMs += 1;
    storage.failAt = storage.calls + 1;
    storage.failures = 1;
    expect(await count()).toBe(1);
    nowMs += 59_000;
    expect(await count()).toBe(1);
    nowMs += 1_000;
    expect(await count()).toBe(2);
    node.log.failure = new Error("follows");
    nowMs += 2 * hour;
    expect(await count()).toBe(2);
    // Another node, or this one after a restart, finds in the storage when the next one is due.
    const other = await start({ storage, nowMs: () => nowMs, settings: { intervalMs: 4 * hour } });
    await other.service.tick();
    await other.service.close();
    expect((await other.service.list({ cursor: null, limit: 10 })).items).toHaveLength(2);
  });
});

describe("R13 a restore", () => {
  it("R13 puts the backup in the state's place: a new epoch, tokens of before ended, the index going on", async () => {
    const node = await start();
    await node.write("a", "b");
    const id = await node.backup();
    const hash = rowsHash(node.store);
    await node.write("c", "d");
    const before = node.store.index();
    const job = await node.restore({ backup_id: id });
    expect(job).toMatchObject({ state: "complete", restore: { restored_index: 2, epoch: 2, backup_id: id } });
    expect(rowsHash(node.store)).toBe(hash);
    expect([named(node, "a"), named(node, "c")]).toEqual([true, false]);
    expect(node.store.epoch()).toBe(2);
    const restored = node.store.restored();
    expect(restored).toMatchObject({ index: node.store.index(), epochs: [{ epoch: 1 }, { epoch: 2 }] });
    expect(restored?.tokens_not_before_ms).toBe(node.store.lastTimestampMs());
    expect(node.store.index()).toBeGreaterThan(before);
    expect(checkInvariants(node.store)).toEqual([]);
    // The feed goes on: whoever projects it still finds what was rolled back, and then the restore.
    const page = readFeed(node.store.feed(), {
      after: 0,
      limit: 9,
      view: "full",
      charsMax: 1e6,
      inline: null,
    });
    if (!page.ok) throw new Error(page.detail);
    expect(page.entries.map(({ kind }) => kind)).toEqual([
      ...Array.from({ length: 4 }, () => "create_config"),
      "commit_restore",
    ]);
    expect(page.entries.at(-1)).toMatchObject({
      tenant: "_system",
      prev_index: 4,
      events: [{ type: "state_restored", restored_index: 2, epoch: 2, previous_epoch: 1 }],
      audit: { actor: { id: "u-1" }, ip: "192.0.2.1" },
    });
    await node.write("c");
    expect(node.store.json(stateKey.configByName("demo", "shop", "prod", "c"))).toBe(
      `cfg-c1-${node.store.index()}`,
    );
    expect(scratchOf(node)).toEqual([]);
  });

  it("R13 into a young cluster goes on past the backup's index, so that no id comes twice, and survives a reopen", async () => {
    const old = await start();
    await old.write(...Array.from({ length: 50 }, (_, i) => `a${i}`));
    const id = await old.backup();
    const fresh = await start({ storage: old.storage });
    const job = await fresh.restore({ backup_id: id, epoch_min: 7 });
    expect(job).toMatchObject({ state: "complete", restore: { restored_index: 50, index: 51, epoch: 8 } });
    expect(fresh.store.lastApplied()).toBeLessThan(10);
    await fresh.write("new");
    expect(fresh.store.index()).toBe(52);
    expect(fresh.store.json(stateKey.configByName("demo", "shop", "prod", "new"))).toBe("cfg-c1-52");
    expect(checkInvariants(fresh.store)).toEqual([]);
    const hash = fresh.store.stateHash();
    const copy = join(fresh.directory, "copy.db");
    const oldCopy = join(old.directory, "copy.db");
    await old.store.copyTo(oldCopy);
    expect(await fresh.store.copyTo(copy)).toBe(fresh.store.lastApplied());
    expect([old.store.copyFormat(oldCopy), fresh.store.copyFormat(copy)]).toEqual([1, 2]);
    const again = new StateStore({ path: copy, clusterId: "c1", journal: "wal" });
    expect([again.index(), again.epoch(), again.stateHash()]).toEqual([52, 8, hash]);
    again.close();
  });

  it("R13 asked for twice under one id is done once", async () => {
    const node = await start();
    await node.write("a");
    const backup_id = await node.backup();
    const first = await node.restore({ backup_id, restore_id: "same" });
    await node.write("b");
    expect(await node.restore({ backup_id, restore_id: "same" })).toEqual(first);
    expect(named(node, "b")).toBe(true);
    expect(node.store.epoch()).toBe(2);
  });

  it("R13 a backup or restore that failed is begun anew when it is asked for again under its id", async () => {
    const node = await start();
    await node.write("a");
    Object.assign(node.storage, { failAt: 1, failures: Infinity });
    const take = () => node.service.job(node.service.startBackup("take", null).job_id, 60_000);
    expect(await take()).toMatchObject({ state: "failed", error: { code: "unavailable" } });
    node.storage.failAt = Infinity;
    const { state, backup_id } = await take();
    expect(state).toBe("complete");
    // Past the manifest: what the restore reads for its proof.
    node.storage.failAt = node.storage.calls + 2;
    const order = { backup_id: backup_id ?? "", restore_id: "again" };
    expect(await node.restore(order)).toMatchObject({ state: "failed", error: { code: "unavailable" } });
    expect(node.store.epoch()).toBe(1);
    node.storage.failAt = Infinity;
    expect(await node.restore(order)).toMatchObject({ state: "complete", restore: { epoch: 2 } });
    expect(node.store.epoch()).toBe(2);
  });

  it("R13 takes the url of a manifest in its own storage, and no other", async () => {
    const node = await start();
    await node.write("a");
    const backup_id = await node.backup();
    const url = `memory:///c1/manifests/${backup_id}.json`;
    expect(await node.restore({ url })).toMatchObject({ state: "complete" });
    for (const bad of ["", "memory:///", `file:///c1/manifests/${backup_id}.json`, `${url}/..`]) {
      await expect(node.restore({ url: bad })).rejects.toMatchObject({ code: "validation_failed" });
    }
    await expect(node.restore({ backup_id: "../../etc" })).rejects.toMatchObject({ code: "not_found" });
  });

  it("R13 another cluster's backup is refused, and taken with force", async () => {
    const old = await start();
    await old.write("a");
    const backup_id = await old.backup();
    const other = await start({ storage: old.storage, clusterId: "c2" });
    await expect(other.restore({ backup_id })).rejects.toMatchObject({
      code: "validation_failed",
      errors: [{ path: "/force" }],
    });
    expect(await other.restore({ backup_id, force: true })).toMatchObject({ state: "complete" });
    expect(named(other, "a")).toBe(true);
  });
});

describe("R13 damage", () => {
  it("R13 a bit that flips anywhere is refused, and nothing has changed", async () => {
    const node = await start();
    await node.write("a", "b");
    const backup_id = await node.backup();
    await node.write("c");
    const hash = rowsHash(node.store);
    for (const { name, bytes } of (await node.storage.list("", all)).items) {
      const good = await node.storage.get(name, 1e6);
      for (let at = 0; at < bytes; at += Math.ceil(bytes / 12)) {
        const bad = good.slice();
        bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
        await node.storage.put(name, bad);
        const refused = await node.restore({ backup_id }).catch((error: unknown) => ({ error }));
        expect(refused).toMatchObject({ error: { code: "validation_failed" } });
        const drilled = await node.service.startDrill(backup_id, TESTING_AUTHOR).then(
          ({ job_id }) => node.service.job(job_id, 60_000),
          (error: unknown) => ({ error }),
        );
        expect(drilled).toMatchObject({ error: { code: "validation_failed" } });
      }
      await node.storage.put(name, good.subarray(0, good.length - 1));
      const cut = await node.restore({ backup_id }).catch((error: unknown) => ({ error }));
      expect(cut).toMatchObject({ error: { code: "validation_failed" } });
      await node.storage.put(name, good);
    }
    expect(rowsHash(node.store)).toBe(hash);
    expect(await node.restore({ backup_id })).toMatchObject({ state: "complete" });
  });

  it("R13 a missing chunk, a missing manifest and a newer format are refused by name", async () => {
    const node = await start();
    await node.write("a");
    const backup_id = await node.backup();
    const manifest = await readManifest(node.storage, backup_id);
    const chunk = `c1/chunks/${backup_id}/000000.zst`;
    const bytes = await node.storage.get(chunk, 1e6);
    await node.storage.remove([chunk]);
    expect(await node.restore({ backup_id })).toMatchObject({
      state: "failed",
      error: { code: "validation_failed", detail: `${chunk} is missing` },
    });
    await node.storage.put(chunk, bytes);
    const newer = { ...manifest, format: 2 } as unknown as typeof manifest;
    await node.storage.put(`c1/manifests/${backup_id}.json`, sealManifest(newer));
    await expect(node.restore({ backup_id })).rejects.toThrow("is of format 2, this build knows 1");
    await node.storage.remove([`c1/manifests/${backup_id}.json`]);
    await expect(node.restore({ backup_id })).rejects.toMatchObject({ code: "not_found" });
    await expect(node.service.startDrill(null, TESTING_AUTHOR)).rejects.toMatchObject({ code: "not_found" });
  });

  it("R13 a state that its hash or the invariants disown is never put in place", async () => {
    const node = await start();
    await node.write("a");
    const manifest = await readManifest(node.storage, await node.backup());
    const lie = { ...manifest, state_hash: "0".repeat(64) };
    await node.storage.put(`c1/manifests/${manifest.backup_id}.json`, sealManifest(lie));
    const hash = rowsHash(node.store);
    expect(await node.restore({ backup_id: manifest.backup_id })).toMatchObject({
      state: "failed",
      error: { code: "validation_failed" },
    });
    expect(rowsHash(node.store)).toBe(hash);
    const { job_id } = await node.service.startDrill(manifest.backup_id, TESTING_AUTHOR);
    expect(await node.service.job(job_id, 60_000)).toMatchObject({
      state: "failed",
      drill: { proven: false, hash_matches: false, state_hash: manifest.state_hash },
    });
  });
});

describe("R13 a restore that is cut off", () => {
  it("R13 at any proposal changes nothing that is seen, and the next leader drops it", async () => {
    const source = await start();
    await source.write(...Array.from({ length: 3 }, (_, i) => `a${i}`));
    const backup_id = await source.backup();
    for (let step = 1; step <= 3; step += 1) {
      const node = await start({ storage: source.storage });
      await node.write("own");
      const rows = rowsHash(node.store);
      node.log.failAt = node.log.proposals + step;
      expect(await node.restore({ backup_id })).toMatchObject({
        state: "failed",
        error: { code: "not_proposed" },
      });
      expect(rowsHash(node.store)).toBe(rows);
      expect(node.store.epoch()).toBe(1);
      // It leads again, or another does: the store is the same either way.
      Object.assign(node.log, { failAt: Infinity, failure: null });
      expect(node.store.hasKey(stateKey.pendingRestore)).toBe(step > 1);
      await node.service.tick();
      expect(node.store.hasKey(stateKey.pendingRestore)).toBe(false);
      expect(rowsHash(node.store)).toBe(rows);
      expect(await node.restore({ backup_id })).toMatchObject({ state: "complete" });
      expect(named(node, "own")).toBe(false);
    }
  });

  it("R13 by a storage that fails at any call changes nothing", async () => {
    const source = await start();
    await source.write("a");
    const backup_id = await source.backup();
    const calls = source.storage.calls;
    await source.restore({ backup_id });
    const total = source.storage.calls - calls;
    const node = await start({ storage: source.storage });
    await node.write("own");
    const rows = rowsHash(node.store);
    for (let failAt = 1; failAt <= total; failAt += 1) {
      source.storage.failAt = source.storage.calls + failAt;
      const refused = await node.restore({ backup_id }).catch((error: unknown) => ({ error }));
      expect(refused).toMatchObject({ error: { code: "unavailable" } });
      source.storage.failAt = Infinity;
      expect(rowsHash(node.store)).toBe(rows);
      expect(node.store.hasKey(stateKey.pendingRestore)).toBe(false);
    }
    expect(await node.restore({ backup_id })).toMatchObject({ state: "complete" });
  });
});

describe("R13 a drill", () => {
  it("R13 one whose manifest is damaged is named by the list, and a drill takes the newest that can be used", async () => {
    let nowMs = 1_700_000_000_000;
    const node = await start({ nowMs: () => (nowMs += 1000) });
    await node.write("a");
    const [old, newest] = [await node.backup(), await node.backup()];
    const damage = (id: string) => node.storage.put(`c1/manifests/${id}.json`, new TextEncoder().encode("{"));
    await damage(newest);
    expect(await node.service.list({ cursor: null, limit: 10 })).toMatchObject({
      items: [{ backup_id: old }],
      unusable: [newest],
      next_cursor: null,
    });
    const { job_id } = await node.service.startDrill(null, TESTING_AUTHOR);
    expect(await node.service.job(job_id, 60_000)).toMatchObject({ backup_id: old, drill: { proven: true } });
    await damage(old);
    const why = { code: "validation_failed", message: `c1/manifests/${newest}.json is damaged` };
    await expect(node.service.startDrill(null, TESTING_AUTHOR)).rejects.toMatchObject(why);
  });

  it("R13 proves the newest backup beside the state and leaves nothing behind", async () => {
    const node = await start();
    await node.write("a", "b");
    await node.backup();
    await node.write("c");
    const hash = rowsHash(node.store);
    const { job_id } = await node.service.startDrill(null, TESTING_AUTHOR);
    expect(await node.service.job(job_id, 60_000)).toMatchObject({
      state: "complete",
      drill: { proven: true, hash_matches: true, invariants_broken: [], rows: 10 },
    });
    expect(rowsHash(node.store)).toBe(hash);
    expect(scratchOf(node)).toEqual([]);
  });
});
