import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { S3ObjectStorage } from "../../adapters/object-storage/s3-object-storage.ts";
import { FaultyS3 } from "../../adapters/object-storage/testing/faulty-s3.ts";
import { manifestName } from "../../contracts/backup/backup-manifest.ts";
import { openTestingBackupsIn, rowsHash, TESTING_AUTHOR, type TestingBackups } from "./testing-backups.ts";

const HOUR_MS = 60 * 60 * 1000;
const MINUTE_MS = 60 * 1000;

let s3: FaultyS3;
let node: TestingBackups<S3ObjectStorage>;
let nowMs = 1_700_000_000_000;
beforeAll(async () => {
  s3 = await FaultyS3.start();
});
afterAll(() => s3.stop());
beforeEach(async () => {
  node = await openTestingBackupsIn(s3.openStorage(), {
    nowMs: () => nowMs,
    settings: { intervalMs: HOUR_MS },
  });
  await node.write("a", "b");
});
afterEach(async () => {
  s3.judge = () => null;
  await node.close();
});

/** One look at the schedule, and the end of what it began. */
async function tick(): Promise<void> {
  await node.service.tick();
  await node.service.close();
}
const ids = async (): Promise<string[]> =>
  (await node.service.list({ cursor: null, limit: 10 })).items.map(({ backup_id }) => backup_id);
const isWrite = ({ method }: { method: string }): boolean => method === "PUT";
const isManifest = ({ path }: { path: string }): boolean => path.includes("/manifests/");

describe("R13 scheduled backups to S3", () => {
  it.each([
    ["whose endpoint is away", "hang_up", () => true, "S3 does not answer"],
    ["that is silent", "silence", () => true, "S3 does not answer"],
    ["that is silent when written to", "silence", isWrite, "S3 does not answer"],
    ["that answers 500", "error", () => true, "S3 does not answer: InternalError: as the test says"],
    ["that answers 500 to the manifest", "error", isManifest, "S3 does not answer: InternalError"],
    ["that refuses the key", "deny", () => true, "S3 refuses: SignatureDoesNotMatch: as the test says"],
  ] as const)(
    "R13 one %s costs a backup, with its reason and a count, and the next one is made",
    async (_, fault, hits, why) => {
      s3.judge = (request) => (hits(request) ? fault : null);
      await tick();
      expect(node.lines.at(-1)).toMatchObject({
        level: "error",
        msg: "backup failed",
        error: expect.stringContaining(why) as unknown,
      });
      expect(await node.counted("backup", "failure")).toBe(1);
      s3.judge = () => null;
      expect(await ids()).toEqual([]);
      // Not at once, but after a minute.
      await tick();
      expect(await ids()).toEqual([]);
      nowMs += MINUTE_MS;
      await tick();
      expect(await ids()).toHaveLength(1);
      expect(await node.counted("backup", "success")).toBe(1);
      const { job_id } = await node.service.startDrill(null, TESTING_AUTHOR);
      expect(await node.service.job(job_id, 60_000)).toMatchObject({
        state: "complete",
        drill: { proven: true },
      });
    },
  );

  it("R13 one that does not list its objects is written to all the same", async () => {
    s3.judge = ({ path }) => (path.includes("list-type=2") ? "deny" : null);
    await tick();
    s3.judge = () => null;
    expect(await ids()).toHaveLength(1);
  });
});

describe("R13 what S3 gives back of a backup", () => {
  it.each([
    ["cut_off", "unavailable", "did not arrive whole from S3"],
    ["half_silence", "unavailable", "did not arrive whole from S3"],
    ["garbled", "unavailable", "did not arrive whole from S3: Checksum mismatch"],
    ["error", "unavailable", "S3 does not answer: InternalError"],
    ["shorter", "validation_failed", "is damaged"],
    ["changed", "validation_failed", "is damaged"],
  ] as const)("R13 %s is told from what was stored, and nothing is restored", async (fault, code, why) => {
    const backup_id = await node.backup();
    await node.write("c");
    const rows = rowsHash(node.store);
    const refusal = { code, detail: expect.stringContaining(why) as unknown };
    s3.judge = ({ path }) => (path.includes("/chunks/") ? fault : null);
    expect(await node.restore({ backup_id })).toMatchObject({ state: "failed", error: refusal });
    const { job_id } = await node.service.startDrill(backup_id, TESTING_AUTHOR);
    expect(await node.service.job(job_id, 60_000)).toMatchObject({ state: "failed", error: refusal });
    expect(await node.counted("restore", "failure")).toBe(1);
    expect(await node.counted("drill", "failure")).toBe(1);
    s3.judge = (request) => (isManifest(request) ? fault : null);
    const refused = { code, message: expect.stringContaining(why) as unknown };
    await expect(node.restore({ backup_id })).rejects.toMatchObject(refused);
    expect([rowsHash(node.store), node.store.epoch()]).toEqual([rows, 1]);

    s3.judge = () => null;
    nowMs += HOUR_MS;
    await tick();
    expect(await ids()).toHaveLength(2);
    expect(await node.restore({ backup_id })).toMatchObject({ state: "complete", restore: { epoch: 2 } });
  });

  it("R13 a chunk that was overwritten, and a manifest that is gone, are named; the next backup is whole", async () => {
    const backup_id = await node.backup();
    const chunk = `c1/chunks/${backup_id}/000000.zst`;
    await node.storage.put(chunk, new Uint8Array(100));
    expect(await node.restore({ backup_id })).toMatchObject({
      state: "failed",
      error: { code: "validation_failed", detail: `${chunk} is damaged: it is not what the manifest says` },
    });
    await node.storage.remove([manifestName("c1", backup_id)]);
    await expect(node.restore({ backup_id })).rejects.toMatchObject({
      code: "not_found",
      message: `there is no backup ${backup_id}`,
    });
    nowMs += HOUR_MS;
    await tick();
    const { job_id } = await node.service.startDrill(null, TESTING_AUTHOR);
    expect(await node.service.job(job_id, 60_000)).toMatchObject({
      state: "complete",
      drill: { proven: true },
    });
  });
});
