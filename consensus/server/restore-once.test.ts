import { afterEach, describe, expect, it } from "vitest";
import { epochsOf } from "../../domain/backup/epochs-of.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { BackupService } from "./backup-service.ts";
import { CoreMetrics } from "./metrics.ts";
import { drillBackup } from "./restore-drill.ts";
import { openTestingBackups, TESTING_AUTHOR, type TestingBackups } from "./testing-backups.ts";

const open: TestingBackups[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

/** Two restores, A and then B, and a service that knows of no job, as that of the next leader. */
async function restoredTwice() {
  const node = await openTestingBackups();
  open.push(node);
  await node.write("a");
  const backup_id = await node.backup();
  for (const restore_id of ["A", "B"]) {
    expect(await node.restore({ backup_id, restore_id })).toMatchObject({ state: "complete" });
  }
  await node.write("b");
  const { directory, storage } = node;
  const metrics = new CoreMetrics(() => node.log.status());
  const next = new BackupService(
    { ...node.core, metrics },
    {
      intervalMs: 0,
      keepCount: 10,
      keepDays: 10,
      storage,
      directory,
      drill: (backupId) => drillBackup({ storage, backupId, directory, nowMs: Date.now }),
      nowMs: Date.now,
    },
  );
  const ask = (restore_id: string) =>
    next.startRestore({ backup_id, restore_id, force: false, epoch_min: 0 }, TESTING_AUTHOR);
  return { node, next, ask };
}

describe("R13 a restore is done once, whichever node led when", () => {
  it("R13 the last one, asked for again, is answered as it was", async () => {
    const { node, next, ask } = await restoredTwice();
    const { job_id } = await ask("B");
    expect(await next.job(job_id, 60_000)).toMatchObject({ state: "complete", restore: { epoch: 3 } });
    expect(node.store.epoch()).toBe(3);
  });

  it("R13 one that another has followed is refused, and the writes since then stay", async () => {
    const { node, ask } = await restoredTwice();
    await expect(ask("A")).rejects.toMatchObject({
      code: "already_exists",
      message: expect.stringContaining("epoch 2 began with it") as unknown,
    });
    expect(node.store.epoch()).toBe(3);
    expect(node.store.hasKey(stateKey.configByName("demo", "shop", "prod", "b"))).toBe(true);
  });

  it("R13 the ids are the state's alone: who asks for the epochs sees none", async () => {
    const { node } = await restoredTwice();
    expect(node.store.restored()?.epochs.map(({ restore_id }) => restore_id)).toEqual([
      undefined,
      "A",
      undefined,
    ]);
    const { epochs } = epochsOf(node.store.restored(), 3);
    expect(epochs.map((start) => Object.keys(start))).toEqual(epochs.map(() => ["epoch", "first_index"]));
  });
});
