import { afterEach, describe, expect, it } from "vitest";
import { byAge, CLOCK_APART_MS_MAX } from "./backup-prune.ts";
import { FaultyStorage, openTestingBackups, TESTING_AUTHOR, type TestingBackups } from "./testing-backups.ts";

const HOUR_MS = 60 * 60 * 1000;
const START_MS = 1_700_000_000_000;
const open: TestingBackups[] = [];
async function start(options: Parameters<typeof openTestingBackups>[0] = {}): Promise<TestingBackups> {
  const node = await openTestingBackups(options);
  open.push(node);
  return node;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

describe("R13 a backup of a clock that was a year ahead", () => {
  let nowMs = START_MS;
  const settings = { intervalMs: HOUR_MS, keepCount: 2 };
  /** A storage with such a backup, and how many there are after one look of a node. */
  async function ahead() {
    nowMs = START_MS + 365 * 24 * HOUR_MS;
    const storage = new FaultyStorage(() => nowMs);
    const node = await start({ storage, nowMs: () => nowMs, settings });
    await node.write("a");
    const look = async (of: TestingBackups = node): Promise<string[]> => {
      await of.service.tick();
      await of.service.close();
      return (await of.service.list({ cursor: null, limit: 10 })).items.map(({ backup_id }) => backup_id);
    };
    const [future = ""] = await look();
    nowMs = START_MS;
    return { storage, node, look, future };
  }

  it("R13 does not keep another leader from the next one an interval from now", async () => {
    const { storage, look, future } = await ahead();
    const other = await start({ storage, nowMs: () => nowMs, settings });
    await other.write("a");
    expect(await look(other)).toEqual([future]);
    nowMs += HOUR_MS;
    expect(await look(other)).toHaveLength(2);
  });

  it("R13 nor the one whose clock was put right while it was taken", async () => {
    nowMs = START_MS + 365 * 24 * HOUR_MS;
    const storage = new FaultyStorage(() => nowMs);
    const node = await start({ storage, nowMs: () => nowMs, settings });
    await node.write("a");
    const taken = node.service.startBackup(null, null);
    nowMs = START_MS;
    await node.service.job(taken.job_id, 60_000);
    nowMs += HOUR_MS;
    await node.service.tick();
    await node.service.close();
    expect((await node.service.list({ cursor: null, limit: 10 })).items).toHaveLength(2);
  });

  it("R13 is not the newest: a drill takes a later one, and it goes first", async () => {
    const { node, future } = await ahead();
    const one = await node.backup();
    const drilled = await node.service.startDrill(null, TESTING_AUTHOR);
    expect((await node.service.job(drilled.job_id, 60_000)).backup_id).toBe(one);
    nowMs += HOUR_MS;
    const two = await node.backup();
    const { items } = await node.service.list({ cursor: null, limit: 10 });
    expect(items.map(({ backup_id }) => backup_id)).toEqual([two, one]);
    expect([one, two]).not.toContain(future);
  });

  it("R13 clocks of two leaders that are a little apart change no order", () => {
    const idAt = (ms: number): string =>
      `bak-c1-${new Date(ms).toISOString().replaceAll(/\D/g, "")}-1-00000000`;
    const [old, near, far] = [-1, CLOCK_APART_MS_MAX, CLOCK_APART_MS_MAX + 1].map((ms) =>
      idAt(START_MS + ms),
    );
    expect(byAge([far!, near!, old!], START_MS)).toEqual([near, old, far]);
  });
});
