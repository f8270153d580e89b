import { beforeEach, describe, expect, it } from "vitest";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { abilitiesNeeded } from "../../domain/command/command-kinds.ts";
import { newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
const PUBLISHES = "/api/v1/mgt/publishes";
let admin: TestingAdmin;
/** The path of a config whose version 1 is the default. */
let config: string;

async function begin(with_: TestingAdmin): Promise<void> {
  admin = with_;
  const created = await admin.send("POST", CONFIGS, newConfig({ release: true }));
  config = `${CONFIGS}/${(await created.json<{ id: string }>()).id}`;
}
beforeEach(() => begin(testingAdmin()));

const STAGES = [
  { name: "first", regions: ["cn-chengdu"], bake_minutes: 10 },
  { name: "gold", labels: { tier: "gold" } },
  { name: "half", percentage: { by: "user", percent: 50 }, bake_minutes: 5 },
];
const plan = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  content: '{"retries": 3}',
  strategy: { type: "staged", stages: STAGES },
  ...changes,
});
type Json = Record<string, unknown>;
async function ok(method: string, path: string, body?: unknown): Promise<Json> {
  const answer = await admin.send(method, path, body);
  const json = await answer.json<Json>();
  expect([path, answer.ok, json]).toEqual([path, true, json]);
  return json;
}
const start = async (changes: Json = {}, query = ""): Promise<string> =>
  `${PUBLISHES}/${String((await ok("POST", `${config}/publish${query}`, plan(changes)))["publish_id"])}`;
const served = async (query = ""): Promise<unknown> =>
  (await ok("GET", `${config}/resolve?${query}`))["version_id"];
const versions = async (): Promise<unknown[]> =>
  ((await ok("GET", `${config}/versions`))["items"] as Json[]).map((item) => item["status"]);

describe("C7 P2 a plan of several stages", () => {
  it("takes each stage to those before, then everyone; versions say where they stand", async () => {
    const path = await start();
    expect(await ok("GET", path)).toMatchObject({
      status: "stage1",
      stage: "first",
      pause: null,
      stages: [{ started_at: expect.any(String) as string }, { started_at: null }, { started_at: null }],
    });
    expect([await served("edge.region=cn-chengdu"), await served()]).toEqual([2, 1]);
    expect(await versions()).toEqual(["stage1", "full"]);
    expect(await ok("POST", `${path}/advance`)).toMatchObject({ status: "stage2", due_at: null });
    expect(await served("edge.region=cn-chengdu")).toBe(2);
    expect([await served("label.tier=gold"), await served()]).toEqual([2, 1]);
    await ok("POST", `${path}/advance`);
    expect(await ok("POST", `${path}/advance`)).toMatchObject({ status: "full", stage: null });
    expect([await served(), await versions()]).toEqual([2, ["full", "deprecated"]]);
    expect(await ok("GET", `${config}/versions/1`)).toMatchObject({ status: "deprecated" });
    await ok("POST", `${config}/rollback`, { version_id: 1 });
    expect(await versions()).toEqual(["deprecated", "full"]);
  });

  it("P4 is advanced from the stage that the caller means, once, whoever else has just moved it on", async () => {
    const path = await start();
    // The stage has baked, and the function was quicker.
    await ok("POST", `${path}/advance`);
    const late = await readProblem(await admin.send("POST", `${path}/advance`, { expected_stage: 1 }));
    expect([late.code, late.detail]).toEqual(["invalid_transition", "the publish is in stage2, not stage1"]);
    expect(await ok("GET", path)).toMatchObject({ status: "stage2" });
    expect(await ok("POST", `${path}/advance`, { expected_stage: 2 })).toMatchObject({ status: "stage3" });
    expect(await ok("POST", `${path}/advance`, {})).toMatchObject({ status: "full" });
    const none = await readProblem(await admin.send("POST", `${path}/advance`, { expected_stage: 0 }));
    expect([none.code, none.errors[0]?.path]).toEqual(["validation_failed", "/expected_stage"]);
  });

  it("by percentage; make_default_after_mins is the bake time of the last stage alone", async () => {
    const stages = [5, 50].map((percent) => ({
      name: `${percent} %`,
      percentage: { by: "user", percent, salt: "s" },
    }));
    const path = await start({ strategy: { type: "percentage", stages }, make_default_after_mins: 7 });
    expect(await ok("GET", path)).toMatchObject({
      strategy: "percentage",
      due_at: null,
      stages: [{ bake_minutes: null }, { bake_minutes: 7, percentage: stages[1]?.percentage }],
    });
    expect(await ok("POST", `${path}/advance`)).toMatchObject({ due_at: expect.any(String) as string });
  });

  it("P6 supersedes the one that runs when asked to, in one command", async () => {
    const first = await start();
    const refused = await readProblem(await admin.send("POST", `${config}/publish`, plan()));
    expect(refused.code).toBe("publish_running");
    const second = await start({}, "?abort_plan=true");
    const superseded_by = second.slice(PUBLISHES.length + 1);
    expect(await ok("GET", first)).toMatchObject({ status: "aborted", superseded_by });
    expect(await ok("GET", second)).toMatchObject({
      superseded_by: null,
      status: "stage1",
      version_id: 3,
      previous_version_id: 1,
    });
    const { entries } = await admin.core.feed({ after: 0, limit: 9, wait_ms: 0, view: "full" });
    expect(entries.at(-1)?.events).toMatchObject([
      { type: "config_changed" },
      { to: "aborted", cause: "superseded" },
      { to: "stage1" },
    ]);
  });
});

describe("P5 pause and resume", () => {
  it("says until when, holds every move but resume and abort, and is repeated without harm", async () => {
    const path = await start();
    // As many clients send it: JSON by its header, and nothing.
    const key = { "x-idempotency-key": "p", "content-type": "application/json" };
    const paused = await admin.send("POST", `${path}/pause`, undefined, key);
    const json = await paused.json<Json>();
    expect(json).toMatchObject({
      status: "paused",
      stage: "first",
      due_at: null,
      pause: { on_timeout: "abort" },
    });
    const { started_at, ends_at } = json["pause"] as { started_at: string; ends_at: string };
    expect(Date.parse(ends_at) - Date.parse(started_at)).toBe(7 * 24 * 60 * 60_000);
    expect(await (await admin.send("POST", `${path}/pause`, undefined, key)).json()).toEqual(json);
    for (const verb of ["advance", "pause"]) {
      const problem = await readProblem(await admin.send("POST", `${path}/${verb}`));
      expect([problem.code, problem.detail]).toEqual([
        "invalid_transition",
        "the publish is paused: resume or abort it",
      ]);
    }
    expect(await versions()).toEqual(["paused", "full"]);
    expect((await admin.send("POST", `${path}/resume`, undefined, { "if-match": '"1"' })).status).toBe(412);
    expect(await ok("POST", `${path}/resume`)).toMatchObject({ status: "stage1", pause: null });
    const again = await ok("POST", `${path}/pause`, { max_minutes: 0.5, on_timeout: "resume" });
    expect(again["pause"]).toMatchObject({ on_timeout: "resume" });
    expect(await ok("POST", `${path}/abort`)).toMatchObject({ status: "aborted", pause: null });
    expect(await served("edge.region=cn-chengdu")).toBe(1);
  });
});

it("P2 C6 a version that was full and is rolled back is deprecated, and a draft is what never was", async () => {
  await ok("POST", `${config}/publish`, plan({ strategy: { type: "all" } }));
  await ok("POST", `${config}/rollback`, { version_id: 1 });
  await ok("POST", `${config}/versions`, { content: '{"retries": 9}', description: "" });
  expect(await versions()).toEqual(["draft", "deprecated", "full"]);
  expect(await ok("GET", `${config}/versions/2`)).toMatchObject({ status: "deprecated" });
});

it("P2 statuses are read off many plans, page by page, and no further back than the versions", async () => {
  const all = { type: "all" };
  await ok("POST", `${config}/publish`, plan({ strategy: all }));
  for (let i = 0; i < 25; i += 1) {
    await ok("POST", `${config}/publish?abort_plan=true`, plan({ content: undefined, version_id: 2 }));
  }
  await ok("POST", `${config}/rollback?abort_plan=true`, { version_id: 1 });
  await ok("POST", `${config}/versions`, { content: '{"retries": 9}', description: "" });
  expect(await versions()).toEqual(["draft", "deprecated", "full"]);
  const { core } = admin;
  const list = core.listPublishes.bind(core);
  let pages = 0;
  core.listPublishes = (input) => {
    pages += 1;
    return list(input);
  };
  expect(await ok("GET", `${config}/versions/3`)).toMatchObject({ status: "draft" });
  expect(pages).toBe(1);
  expect(await ok("GET", `${config}/versions/2`)).toMatchObject({ status: "deprecated" });
  expect(pages).toBe(4);
});

it("C7 a share of nobody is no stage", async () => {
  const stage = { name: "none", percentage: { by: "user", percent: 0 } };
  for (const type of ["percentage", "staged"]) {
    const sent = plan({ strategy: { type, stages: [stage] } });
    const { code, errors } = await readProblem(await admin.send("POST", `${config}/publish`, sent));
    const path = "/strategy/stages/0/percentage/percent";
    expect([code, errors.map((error) => error.path)]).toEqual(["validation_failed", [path]]);
  }
});

it("C7 says when a rule for everyone stands before the default rule, so that nobody gets the version in the end", async () => {
  await ok("PUT", `${config}/releases`, [
    { version_id: 1, priority: 5 },
    { version_id: 1, priority: 0 },
  ]);
  const all = plan({ strategy: { type: "all" } });
  const warnings = [expect.stringContaining("position 0 is for every client") as string];
  expect(await ok("POST", `${config}/publish?dry_run=true`, all)).toMatchObject({ warnings });
  expect(await ok("POST", `${config}/publish`, all)).toMatchObject({ status: "full", warnings });
  expect(await served()).toBe(1);
  const same = plan({ strategy: { type: "all" }, content: undefined, version_id: 1 });
  expect(await ok("POST", `${config}/publish`, same)).toMatchObject({ warnings: [] });
});

describe("C7 dry run", () => {
  const dry = (changes: Json = {}, query = "") =>
    ok("POST", `${config}/publish?dry_run=true${query}`, plan(changes));

  it("says who would get what in every stage, by region and labels, and writes nothing", async () => {
    const before = await admin.core.status();
    const preview = await dry({ clients: [{ Tier: "gold" }] });
    expect(preview).toMatchObject({ dry_run: true, version_id: 2, warnings: [] });
    const steps = preview["steps"] as { status: string; stage: string | null; served: Json[] }[];
    expect(steps.map(({ status, stage }) => [status, stage])).toEqual([
      ["before", null],
      ["stage1", "first"],
      ["stage2", "gold"],
      ["stage3", "half"],
      ["full", null],
    ]);
    // us-east-1 without labels and as gold, then cn-chengdu.
    expect(steps.map((step) => step.served.map((s) => s["version_id"]))).toEqual([
      [1, 1, 1, 1],
      [1, 1, 2, 2],
      [1, 2, 2, 2],
      [1, 2, 2, 2],
      [2, 2, 2, 2],
    ]);
    expect(steps[0]?.served[1]).toEqual({ region: "us-east-1", labels: { Tier: "gold" }, version_id: 1 });
    expect(await admin.core.status()).toEqual(before);
    expect(await ok("GET", config)).toMatchObject({ latest_version_id: 1 });
  });

  it("is refused as the plan would be", async () => {
    const path = await start();
    const refused = await readProblem(await admin.send("POST", `${config}/publish?dry_run=true`, plan()));
    expect(refused.code).toBe("publish_running");
    const over = await dry({}, "&abort_plan=true");
    expect(over["version_id"]).toBe(3);
    expect(await ok("GET", path)).toMatchObject({ status: "stage1" });
    const none = await admin.send(
      "POST",
      `${config}/publish?dry_run=true&abort_plan=true`,
      plan({ content: undefined, version_id: 9 }),
    );
    expect((await readProblem(none)).errors[0]?.path).toBe("/version_id");
    const mars = { type: "staged", stages: [{ name: "m", regions: ["mars"] }] };
    const unknown = await dry({ strategy: mars, content: undefined, version_id: 2 }, "&abort_plan=true");
    expect(unknown["warnings"]).toEqual(["the stages name unknown regions: mars"]);
    for (const [as, status] of [
      ["reader", 403],
      ["stranger", 404],
    ] as const) {
      const headers = { authorization: `Bearer ${as}` };
      const answer = await admin.send("POST", `${config}/publish?dry_run=true`, plan(), headers);
      expect(answer.status).toBe(status);
    }
  });
});

describe("C7 while the core is upgraded from a build that knows one stage", () => {
  /** A core one of whose voters knows nothing of several stages. */
  class OldCore extends MemoryCore {
    override propose: MemoryCore["propose"] = (input) => {
      if (abilitiesNeeded(input.command).includes("publish_stages")) {
        return Promise.reject(new ConfluxError("upgrade_in_progress", "not yet"));
      }
      return super.propose(input);
    };
  }
  beforeEach(() => begin(testingAdmin({ core: new OldCore() })));

  it("takes what that build knows, as it knows it, and refuses the rest", async () => {
    const one = { strategy: { type: "staged", stages: STAGES.slice(0, 1) } };
    const path = await start(one);
    expect(await ok("POST", `${path}/advance`)).toMatchObject({ status: "full" });
    expect(await versions()).toEqual(["full", "draft"]);
    for (const [body, query] of [
      [plan(), ""],
      [plan({ strategy: { type: "staged", stages: STAGES.slice(2) } }), ""],
      [plan(one), "?abort_plan=true"],
    ] as const) {
      const answer = await admin.send("POST", `${config}/publish${query}`, body);
      expect((await readProblem(answer)).code).toBe("upgrade_in_progress");
    }
  });
});
