import { beforeEach, describe, expect, it } from "vitest";
import { readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";
import { createConfigToPublish, plan, PUBLISHES } from "./testing-publish.ts";

let admin: TestingAdmin;
let config: string;

beforeEach(async () => {
  admin = testingAdmin();
  config = await createConfigToPublish(admin);
});

interface Publish {
  publish_id: string;
  version_id: number;
  status: string;
  stage: string | null;
  etag: string;
  index: string;
  due_at: string | null;
  warnings: string[];
}
async function start(changes: Record<string, unknown> = {}): Promise<Publish> {
  const answer = await admin.send("POST", `${config}/publish`, plan(changes));
  expect(answer.status).toBe(202);
  return answer.json<Publish>();
}
async function get(path: string): Promise<Record<string, unknown>> {
  const answer = await admin.send("GET", path);
  expect(answer.status).toBe(200);
  return answer.json<Record<string, unknown>>();
}
const served = async (query = ""): Promise<unknown> =>
  (await get(`${config}/resolve?${query}`))["version_id"];
const IN_STAGE = "edge.region=cn-chengdu";

describe("C7 P4 P5 a publish plan", () => {
  it("begins with its version, is read back, and is advanced by hand", async () => {
    const answer = await admin.send("POST", `${config}/publish`, plan());
    const begun = await answer.json<Publish>();
    expect([answer.status, begun]).toEqual([
      202,
      expect.objectContaining({
        version_id: 2,
        previous_version_id: 1,
        status: "stage1",
        stage: "first region",
        strategy: "staged",
        ended_at: null,
        warnings: [],
        index: expect.stringMatching(/^c1\.1\.2\./) as string,
      }),
    ]);
    expect(answer.headers.get("etag")).toBe(begun.etag);
    const { index: _index, warnings: _warnings, ...view } = begun;
    expect(await get(answer.headers.get("location") ?? "")).toEqual({ ...view, superseded_by: null });
    expect(await served(IN_STAGE)).toBe(2);
    expect(await served()).toBe(1);
    expect((await get(`${config}/releases`))["releases"]).toMatchObject([
      { publish_id: begun.publish_id, edge: { regions: ["cn-chengdu"] } },
      { version_id: 1 },
    ]);
    const advanced = await admin.send("POST", `${PUBLISHES}/${begun.publish_id}/advance`);
    expect([advanced.status, await advanced.json()]).toEqual([
      200,
      expect.objectContaining({ status: "full", stage: null, due_at: null }),
    ]);
    expect(await served()).toBe(2);
    expect((await get(`${config}/releases`))["releases"]).toEqual([
      { labels: {}, version_id: 2, priority: 0 },
    ]);
  });

  it("is aborted to the version before", async () => {
    const { publish_id } = await start();
    const aborted = await admin.send("POST", `${PUBLISHES}/${publish_id}/abort`);
    expect(await aborted.json()).toMatchObject({ status: "aborted", ended_at: expect.any(String) as string });
    expect([await served(IN_STAGE), await served()]).toEqual([1, 1]);
    expect(await get(`${config}/versions/2`)).toMatchObject({ description: "three" });
  });

  it("by canary labels, with make_default_after_mins; all at once; of a version that is there", async () => {
    const canary = await start({
      strategy: { type: "canary", canary_labels: { Canary: "true" } },
      make_default_after_mins: 60,
    });
    expect(canary).toMatchObject({ stage: "canary", due_at: expect.any(String) as string });
    expect([await served("label.canary=true"), await served()]).toEqual([2, 1]);
    await admin.send("POST", `${PUBLISHES}/${canary.publish_id}/abort`);
    const all = await start({ strategy: { type: "all" }, content: undefined, version_id: 2 });
    expect(all).toMatchObject({ version_id: 2, status: "full", stage: null });
    expect(await served()).toBe(2);
    const list = await get(`${config}/publishes?limit=1`);
    expect(list["items"]).toEqual([expect.objectContaining({ publish_id: all.publish_id })]);
    const rest = await get(`${config}/publishes?cursor=${String(list["next_cursor"])}`);
    expect(rest).toMatchObject({ items: [{ status: "aborted" }], next_cursor: null });
  });

  it("waits for a hand without a bake time, and warns of regions nobody knows", async () => {
    const stage = { name: "s", regions: ["us-east-1"], labels: { tier: "a" } };
    const later = { name: "t", regions: ["us-east-1", "mars"] };
    const begun = await start({ strategy: { type: "staged", stages: [stage, later] } });
    const warnings = ["the stages name unknown regions: mars"];
    expect([begun.due_at, begun.warnings]).toEqual([null, warnings]);
  });

  it("P6 keeps the rules to itself, unless it is told to go", async () => {
    for (const [method, path, body] of [
      ["PUT", `${config}/releases`, [{ version_id: 1 }]],
      ["POST", `${config}/rollback`, { version_id: 1 }],
    ] as const) {
      const { publish_id } = await start();
      const problem = await readProblem(await admin.send(method, path, body));
      expect([problem.code, problem.status, problem.detail]).toEqual([
        "publish_running",
        409,
        expect.stringContaining(publish_id),
      ]);
      expect((await admin.send(method, `${path}?abort_plan=false`, body)).status).toBe(409);
      expect((await admin.send(method, `${path}?abort_plan=true`, body)).status).toBe(200);
      expect(await get(`${PUBLISHES}/${publish_id}`)).toMatchObject({ status: "aborted" });
      expect((await get(`${config}/releases`))["releases"]).toEqual([
        { labels: {}, version_id: 1, priority: 0 },
      ]);
    }
  });

  it("C10 goes with its config", async () => {
    const { publish_id } = await start();
    expect((await admin.send("DELETE", config)).status).toBe(200);
    for (const path of [`${PUBLISHES}/${publish_id}`, `${config}/publishes`]) {
      expect((await admin.send("GET", path)).status).toBe(404);
    }
  });
});

describe("C12 repetition and preconditions of plans", () => {
  it("answers the first result again, word for word, and writes once", async () => {
    const headers = { "x-idempotency-key": "k" };
    const first = await admin.send("POST", `${config}/publish`, plan(), headers);
    const begun = await first.json<Publish>();
    const again = await admin.send("POST", `${config}/publish`, plan(), headers);
    expect([again.status, await again.json(), again.headers.get("idempotency-replayed")]).toEqual([
      202,
      begun,
      "true",
    ]);
    const path = `${PUBLISHES}/${begun.publish_id}/advance`;
    const moved = await admin.send("POST", path, undefined, headers);
    const repeated = await admin.send("POST", path, undefined, headers);
    expect([repeated.status, await repeated.json()]).toEqual([200, await moved.json()]);
    expect((await readProblem(await admin.send("POST", path))).code).toBe("invalid_transition");
    const { entries } = await admin.core.feed({ after: 0, limit: 9, wait_ms: 0, view: "full" });
    expect(entries.map((entry) => entry.kind)).toEqual(["create_config", "start_publish", "advance_publish"]);
  });

  it("R10 a start and a move repeated after the config is gone answer their first results, to who may", async () => {
    const key = { "x-idempotency-key": "k" };
    const first = await admin.send("POST", `${config}/publish`, plan(), key);
    const begun = await first.json<Publish>();
    const abort = `${PUBLISHES}/${begun.publish_id}/abort`;
    const moved = await (await admin.send("POST", abort, undefined, key)).json();
    await admin.send("DELETE", config);
    const again = await admin.send("POST", `${config}/publish`, plan(), key);
    expect([again.status, await again.json()]).toEqual([202, begun]);
    const repeated = await admin.send("POST", abort, undefined, key);
    expect([repeated.status, await repeated.json()]).toEqual([200, moved]);
    const as = (name: string) => ({ ...key, authorization: `Bearer ${name}` });
    for (const [headers, code] of [
      [{}, "not_found"],
      [{ "x-idempotency-key": "other" }, "not_found"],
      [as("stranger"), "not_found"],
      [as("reader"), "forbidden"],
    ] as const) {
      expect((await readProblem(await admin.send("POST", abort, undefined, headers))).code).toBe(code);
    }
  });

  it("takes the ETag of the config for a start, of the plan for a move", async () => {
    const etag = String((await get(config))["etag"]);
    const stale = await admin.send("POST", `${config}/publish`, plan(), { "if-match": '"99"' });
    expect(stale.status).toBe(412);
    const begun = await admin.send("POST", `${config}/publish`, plan(), { "if-match": etag });
    const publish = await begun.json<Publish>();
    const abort = `${PUBLISHES}/${publish.publish_id}/abort`;
    expect((await admin.send("POST", abort, undefined, { "if-match": '"1"' })).status).toBe(412);
    expect((await admin.send("POST", abort, undefined, { "if-match": publish.etag })).status).toBe(200);
  });
});

describe("A4 who may do what with a plan", () => {
  it("A4 a plan is moved by who may publish, read by who may read, and unknown to a stranger", async () => {
    const { publish_id } = await start();
    const path = `${PUBLISHES}/${publish_id}`;
    const ask = async (method: string, to: string, as: string): Promise<number> =>
      (await admin.send(method, to, undefined, { authorization: `Bearer ${as}` })).status;
    expect(await ask("GET", path, "reader")).toBe(200);
    for (const verb of ["advance", "pause", "resume", "abort"]) {
      expect(await ask("POST", `${path}/${verb}`, "reader")).toBe(403);
      expect(await ask("POST", `${path}/${verb}`, "writer")).toBe(403);
      expect(await ask("POST", `${path}/${verb}`, "stranger")).toBe(404);
    }
    const headers = { authorization: "Bearer stranger" };
    const there = await readProblem(await admin.send("GET", path, undefined, headers));
    const gone = await readProblem(await admin.send("GET", `${PUBLISHES}/pub-c1-99`, undefined, headers));
    expect(there.detail.replace(publish_id, "ID")).toBe(gone.detail.replace("pub-c1-99", "ID"));
    expect(await ask("POST", `${path}/advance`, "publisher")).toBe(200);
  });

  it("a publisher may publish a version that is there", async () => {
    const headers = { authorization: "Bearer publisher" };
    const body = plan({ content: undefined, version_id: 1 });
    expect((await admin.send("POST", `${config}/publish`, body, headers)).status).toBe(202);
  });
});
