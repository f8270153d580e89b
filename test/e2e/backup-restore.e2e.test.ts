import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { afterEach, expect, test } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import type { ClusterJob } from "../../contracts/backup/backup-api.ts";
import { type Place, type Stack, makePlace, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, fetchConfig, watchByStream } from "../testing/stack-client.ts";

const A = "demo/shop/prod/restored.json";
const B = "demo/shop/prod/lost.json";
const CLUSTER = "/mgt/cluster";

const places: Place[] = [];
const stacks: Stack[] = [];
afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.stop();
  for (const place of places.splice(0)) place.remove();
});
async function start(place: Place, env: Record<string, string>): Promise<Stack> {
  const stack = await startStack({ place, env });
  stacks.push(stack);
  return stack;
}
async function stop(stack: Stack): Promise<void> {
  stacks.splice(stacks.indexOf(stack), 1);
  await stack.stop();
}
async function newPlace(): Promise<Place> {
  const place = await makePlace();
  places.push(place);
  return place;
}

async function create(stack: Stack, name: string, content: string): Promise<{ id: string; index: string }> {
  const body = { tenant: "demo", app: "shop", env: "prod", name, format: "json", content, release: true };
  const { json } = await adminOk(stack, "POST", "/mgt/configs", body);
  return { id: String(json["id"]), index: String(json["index"]) };
}

/** A job's end, however long it takes. */
async function ended(stack: Stack, begun: Record<string, unknown>): Promise<ClusterJob> {
  let job = begun as ClusterJob;
  while (job.state === "running") {
    const { json } = await adminOk(stack, "GET", `${CLUSTER}/jobs/${job.job_id}?wait_ms=5000`);
    job = json as unknown as ClusterJob;
  }
  return job;
}

const secretsOf = (stack: Stack): Record<string, string> =>
  JSON.parse(readFileSync(join(stack.dataDir, "secrets.json"), "utf8")) as Record<string, string>;

/** Where each node stands, asked of itself. */
async function positions(stack: Stack): Promise<{ epoch: number; index: number }[]> {
  const serviceKey = secretsOf(stack)["core_service_key"] ?? "";
  return Promise.all(
    stack.dev.core_urls.map(async (url) => {
      const core = new CoreClient({ urls: [url], serviceKey, role: "admin" });
      const { epoch, index } = await core.edgeSnapshot({ cursor: null, limit: 1 });
      return { epoch, index };
    }),
  );
}

const E2E_MS_MAX = 300_000;

test(
  "R13 three nodes: backed up, proven and restored; edge, watchers, tokens, projections follow; then into a cluster made anew",
  async () => {
    const place = await newPlace();
    let stack = await start(place, { CONFLUX_NODES: "3" });
    const a = await create(stack, "restored.json", '{"kept":1}');
    // A rule with a condition comes back whole: without it, everyone would get the version.
    const absent = { version_id: 1, when: [{ label: "retired", op: "exists", values: ["false"] }] };
    await adminOk(stack, "PUT", `/mgt/configs/${a.id}/releases`, [absent]);
    const taken = await ended(stack, (await adminOk(stack, "POST", `${CLUSTER}/backups`)).json);
    expect(taken).toMatchObject({ state: "complete", backup: { epoch: 1 } });
    const backup_id = String(taken.backup_id);
    const { json: list } = await adminOk(stack, "GET", `${CLUSTER}/backups`);
    expect(list).toMatchObject({ items: [{ backup_id }], next_cursor: null });
    const drilled = await ended(
      stack,
      (await adminOk(stack, "POST", `${CLUSTER}/backups/latest/drill`)).json,
    );
    expect(drilled.drill).toMatchObject({ proven: true, hash_matches: true, backup_id });

    await adminOk(stack, "POST", `/mgt/configs/${a.id}/versions`, {
      content: '{"kept":2}',
      description: "lost",
    });
    const rules = [{ labels: {}, version_id: 2, priority: 0 }];
    const released = await adminOk(stack, "PUT", `/mgt/configs/${a.id}/releases`, rules);
    const b = await create(stack, "lost.json", '{"lost":1}');
    expect((await fetchConfig(stack, A, { minIndex: String(released.json["index"]) })).text).toBe(
      '{"kept":2}',
    );
    expect((await fetchConfig(stack, B, { minIndex: b.index })).status).toBe(200);
    const watcher = await watchByStream(stack, [A]);

    const asked = await admin(stack, "POST", `${CLUSTER}/restore-from-backup`, { backup_id });
    expect([asked.status, asked.json["state"]]).toEqual([200, "complete"]);
    expect(asked.json["restore"]).toMatchObject({ backup_id, epoch: 2 });
    await until(
      async () => (await positions(stack)).every(({ epoch }) => epoch === 2),
      "every node is in epoch 2",
    );
    await until(
      async () => (await fetchConfig(stack, A)).status === 401,
      "the edge refuses the old client token",
    );
    await until(
      () => watcher.messages.some(({ type }) => type === "error"),
      "the watcher is told that its token ended",
    );
    watcher.close();
    expect((await admin(stack, "POST", `${CLUSTER}/backups`)).status).toBe(401);
    // Nothing of the copies, drills and proofs is left.
    const left = readdirSync(place.dataDir).filter((name) => name.startsWith("core-"));
    for (const core of left) {
      const scratch = join(place.dataDir, core, "backup");
      expect(readdirSync(join(place.dataDir, core)).includes("backup") ? readdirSync(scratch) : []).toEqual(
        [],
      );
    }

    await stop(stack);
    stack = await start(place, { CONFLUX_NODES: "3" });
    const { index: minIndex } = await create(stack, "after.json", "{}");
    expect((await fetchConfig(stack, A, { minIndex })).text).toBe('{"kept":1}');
    expect((await fetchConfig(stack, B, { minIndex })).status).toBe(404);
    expect((await positions(stack)).every(({ epoch }) => epoch === 2)).toBe(true);
    const next = await create(stack, "lost.json", '{"again":1}');
    expect((await fetchConfig(stack, B, { minIndex: next.index })).text).toBe('{"again":1}');
    const sql = connect(stack);
    try {
      const rolledBack = await until(async () => {
        const rows =
          await sql`select summary from audit_logs where tenant_id = '_system' and resource = 'cluster'`;
        return rows[0]?.["summary"] as string | undefined;
      }, "the restore is in the audit");
      expect(rolledBack).toContain(`restored backup ${backup_id}`);
      const operated = await sql`
        select summary, outcome from audit_logs
        where tenant_id = '_system' and resource = '_system/cluster' order by log_index limit 2`;
      expect(operated.map((row) => ({ ...row }))).toEqual([
        { summary: `took backup ${backup_id}`, outcome: "success" },
        { summary: `proved backup ${backup_id} by a drill`, outcome: "success" },
      ]);
      const [cluster] = await sql`select epoch from clusters`;
      expect(cluster?.["epoch"]).toBe(2);
      const doubled = await sql`
      select epoch, log_index from audit_logs where log_index is not null
      group by tenant_id, cluster_id, epoch, log_index having count(*) > 1`;
      expect(doubled).toHaveLength(0);
    } finally {
      await sql.end();
    }
    await stop(stack);

    const anew = await start(await newPlace(), { CONFLUX_BACKUP_STORE: join(place.dataDir, "backups") });
    const into = await admin(anew, "POST", `${CLUSTER}/restore-from-backup`, { backup_id });
    expect(into.json).toMatchObject({ state: "complete", restore: { epoch: 2 } });
    const [position] = await positions(anew);
    expect(position?.index).toBeGreaterThan(taken.backup?.index ?? 0);
    const anewPlace = anew.place;
    await stop(anew);
    const again = await start(anewPlace, { CONFLUX_BACKUP_STORE: join(place.dataDir, "backups") });
    const { index: later } = await create(again, "later.json", "{}");
    expect((await fetchConfig(again, A, { minIndex: later })).text).toBe('{"kept":1}');
    const retired = await fetchConfig(again, A, { labels: { retired: "yes" }, minIndex: later });
    expect(retired.status).toBe(404);
  },
  E2E_MS_MAX,
);

/** As the stack's own superuser, whom row-level security does not bind. */
function connect(stack: Stack): postgres.Sql {
  const memo = JSON.parse(readFileSync(join(stack.dataDir, "memo.json"), "utf8")) as Record<string, unknown>;
  return postgres({
    host: "127.0.0.1",
    port: Number(memo["postgres_port"]),
    username: "postgres",
    password: secretsOf(stack)["postgres_password"] ?? "",
    database: "conflux",
    max: 1,
  });
}
