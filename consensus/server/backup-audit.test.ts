import { afterEach, describe, expect, it } from "vitest";
import { manifestName } from "../../contracts/backup/backup-manifest.ts";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";
import { openTestingBackups, TESTING_AUTHOR, type TestingBackups } from "./testing-backups.ts";

const open: TestingBackups[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});
async function start(options: Parameters<typeof openTestingBackups>[0] = {}): Promise<TestingBackups> {
  const node = await openTestingBackups(options);
  open.push(node);
  await node.write("a");
  return node;
}
/** What the feed holds for the audit of operations, without the writes of configs. */
const rowsOf = (node: TestingBackups): FeedEntry[] =>
  [...node.store.feed().entriesAfter(0)]
    .map(({ entry }) => entry)
    .filter(({ tenant }) => tenant === "_system");
const { actor, ip, traceId: trace_id } = TESTING_AUTHOR;
const row = (summary: string, outcome?: "failure") => ({
  trace_id,
  audit: {
    actor,
    ip,
    action: "write",
    resource: "_system/cluster",
    summary,
    ...(outcome === undefined ? {} : { outcome }),
  },
});

describe("A5 R13 the audit of backups, drills and restores", () => {
  it("A5 has a row of each that was done, by whom, from where and in which trace; of one request one", async () => {
    const node = await start();
    const { service } = node;
    for (let i = 0; i < 2; i += 1) {
      await service.job(service.startBackup("same", TESTING_AUTHOR).job_id, 60_000);
    }
    const { backup_id } = await service.job("same", 0);
    const { job_id } = await service.startDrill(null, TESTING_AUTHOR);
    await service.job(job_id, 60_000);
    await node.restore({ backup_id: backup_id ?? "" });
    const [took, proved, restored, ...more] = rowsOf(node);
    expect(took).toMatchObject(row(`took backup ${backup_id}`));
    expect(took?.audit.outcome).toBeUndefined();
    expect(proved).toMatchObject(row(`proved backup ${backup_id} by a drill`));
    expect(restored).toMatchObject({ kind: "commit_restore", trace_id, audit: { actor, ip } });
    expect(more).toEqual([]);
  });

  it("A5 has a row of each that failed, and of a restore that was refused, with why", async () => {
    const node = await start();
    const backup_id = await node.backup();
    const fail = async (work: () => Promise<{ job_id: string }>): Promise<void> => {
      node.storage.failAt = node.storage.calls + 2;
      await node.service.job((await work()).job_id, 60_000);
      node.storage.failAt = Infinity;
    };
    await fail(async () => node.service.startBackup(null, TESTING_AUTHOR));
    await fail(() => node.service.startDrill(backup_id, TESTING_AUTHOR));
    await fail(() => node.restore({ backup_id }));
    await node.storage.remove([manifestName("c1", backup_id)]);
    await expect(node.restore({ backup_id })).rejects.toMatchObject({ code: "not_found" });
    expect(rowsOf(node)).toMatchObject([
      row(
        expect.stringMatching(/^backup of bak-c1-\S+ failed: unavailable: the storage is away$/) as string,
        "failure",
      ),
      row(`drill of ${backup_id} failed: unavailable: the storage is away`, "failure"),
      row(`restore of ${backup_id} failed: unavailable: the storage is away`, "failure"),
      row(`restore of ${backup_id} failed: not_found: there is no backup ${backup_id}`, "failure"),
    ]);
  });

  it("A5 has none of the schedule's own, and what cannot be written down costs no backup", async () => {
    let nowMs = 1_700_000_000_000;
    const node = await start({ nowMs: () => nowMs, settings: { intervalMs: 1000 } });
    await node.service.tick();
    await node.service.close();
    expect(await node.counted("backup", "success")).toBe(1);
    expect(rowsOf(node)).toEqual([]);
    nowMs += 1000;
    const begun = node.service.startBackup(null, TESTING_AUTHOR);
    node.log.failAt = 0;
    expect(await node.service.job(begun.job_id, 60_000)).toMatchObject({ state: "complete" });
    const { backup_id } = await node.service.job(begun.job_id, 0);
    expect(node.lines).toContainEqual({
      level: "warn",
      msg: "an operation is not in the audit",
      trace_id,
      summary: `took backup ${backup_id}`,
      error: expect.stringContaining("NotProposedError") as string,
    });
  });
});
