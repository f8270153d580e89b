import { describe, expect, it } from "vitest";
import type { ClusterJob } from "../contracts/backup/backup-api.ts";
import { runCli } from "./run-cli.ts";

const ID = "bak-c1-20261125033500000-7-0a1b2c3d";
const BACKUP = {
  backup_id: ID,
  cluster_id: "c1",
  epoch: 1,
  index: 7,
  term: 2,
  timestamp: "2026-11-25T03:35:00.000Z",
  taken_at: "2026-11-25T03:35:00.000Z",
  state_hash: "a".repeat(64),
  state_bytes: 900,
  stored_bytes: 300,
  chunks: 1,
  url: `file:///b/c1/manifests/${ID}.json`,
};
const job = (changes: Partial<ClusterJob>): ClusterJob => ({
  job_id: "job-1",
  kind: "backup",
  state: "complete",
  backup_id: ID,
  started_at: BACKUP.taken_at,
  finished_at: BACKUP.taken_at,
  error: null,
  backup: null,
  restore: null,
  drill: null,
  ...changes,
});

/** Runs a command line against an API that gives these answers in turn. */
async function run(args: string[], ...answers: unknown[]) {
  const ran = { code: -1, out: "", err: "", asked: [] as string[], bodies: [] as unknown[] };
  ran.code = await runCli(["cluster", ...args], {
    env: { CONFLUX_ADMIN_URL: "http://admin.test", CONFLUX_TOKEN: "t1" },
    cwd: "/",
    isTerminal: false,
    out: (text) => {
      ran.out += `${text}\n`;
    },
    err: (text) => {
      ran.err += `${text}\n`;
    },
    fetch: async (input, init) => {
      const { pathname, search } = new URL(new Request(input).url);
      ran.asked.push(`${init?.method} ${pathname.replace("/api/v1/mgt/cluster", "")}${search}`);
      if (typeof init?.body === "string") ran.bodies.push(JSON.parse(init.body));
      return Response.json(answers.shift());
    },
  });
  return ran;
}

describe("R13 U3 conflux cluster backup, backups, drill, restore", () => {
  it("takes a backup and waits for its end", async () => {
    const running = job({ state: "running", finished_at: null });
    const ran = await run(["backup"], running, running, job({ backup: BACKUP }));
    expect([ran.code, ran.err]).toEqual([0, ""]);
    expect(ran.asked).toEqual([
      "POST /backups",
      ...Array.from({ length: 2 }, () => "GET /jobs/job-1?wait_ms=15000"),
    ]);
    expect(ran.out).toBe(`${ID}: index 7, 300 bytes stored\n${BACKUP.url}\n`);
  });

  it("says why a job failed", async () => {
    const error = { code: "unavailable", detail: "the storage is away" };
    const ran = await run(["backup"], job({ state: "failed", error }));
    expect([ran.code, ran.out]).toEqual([1, ""]);
    expect(ran.err).toContain("the backup failed: unavailable: the storage is away");
  });

  it("lists backups", async () => {
    const ran = await run(["backups", "--limit", "5"], { items: [BACKUP], next_cursor: null });
    expect(ran.asked).toEqual(["GET /backups?limit=5"]);
    expect(ran.out).toContain(ID);
    expect((await run(["backups"], { items: [], next_cursor: null })).out).toBe("there is no backup yet\n");
  });

  it("says which backups cannot be used, and that there are some when none can", async () => {
    const items = [BACKUP];
    const ran = await run(["backups"], { items, unusable: ["bak-x"], next_cursor: null });
    expect(ran.out).toContain(ID);
    expect(ran.out).toContain("\n1 backup cannot be used: bak-x (the leader's log says why)\n");
    const unusable = Array.from({ length: 7 }, (_, i) => `bak-${i}`);
    const none = await run(["backups"], { items: [], unusable, next_cursor: null });
    expect(none.out).toBe(
      "7 backups cannot be used: bak-0, bak-1, bak-2, bak-3, bak-4 and 2 more (the leader's log says why)\n",
    );
  });

  it("drills the newest backup, or the one named", async () => {
    const drill = {
      backup_id: ID,
      index: 7,
      rows: 5,
      state_bytes: 900,
      expected_state_hash: BACKUP.state_hash,
      state_hash: BACKUP.state_hash,
      hash_matches: true,
      invariants_broken: [],
      proven: true,
      duration_ms: 9,
    };
    const ran = await run(["drill"], job({ kind: "drill", drill }));
    expect(ran.asked).toEqual(["POST /backups/latest/drill"]);
    expect(ran.out).toContain(`proven ${ID}: index 7, 5 rows`);
    expect((await run(["drill", ID], job({ kind: "drill", drill }))).asked).toEqual([
      `POST /backups/${ID}/drill`,
    ]);
  });

  it("restores only when told yes, by id or by url", async () => {
    const refused = await run(["restore", ID]);
    expect([refused.code, refused.asked]).toEqual([2, []]);
    expect(refused.err).toContain("say --yes");
    const latest = await run(["restore", "latest", "--yes"]);
    expect([latest.code, latest.asked]).toEqual([2, []]);
    expect(latest.err).toContain("`conflux cluster drill` proves the newest and names it");
    const restore = {
      restore_id: "r1",
      backup_id: ID,
      restored_index: 7,
      index: 12,
      epoch: 2,
      tokens_not_before: BACKUP.taken_at,
    };
    const done = job({ kind: "restore", restore });
    const ran = await run(["restore", ID, "--yes"], done);
    expect(ran.asked).toEqual(["POST /restore-from-backup"]);
    expect(ran.bodies).toEqual([{ backup_id: ID, force: false }]);
    expect(ran.out).toContain("epoch 2 begins at index 12");
    const byUrl = await run(["restore", BACKUP.url, "--yes", "--force", "--json"], done);
    expect(byUrl.bodies).toEqual([{ url: BACKUP.url, force: true }]);
    expect(JSON.parse(byUrl.out)).toEqual(done);
  });
});
