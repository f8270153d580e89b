import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, getRaw } from "../testing/stack-client.ts";

const OLD = '{"n":1}';
const NEW = '{"n":2}';
const STAGE_REGION = "cn-chengdu";
const OTHER_REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-2", "cn-shanghai"];
/** Long enough to look at every region before the stage has baked, also on a busy machine. */
const BAKE_MINUTES = 0.25;
const ADVANCED_MS_MAX = 60_000;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
});

async function create(name: string): Promise<string> {
  const place = { tenant: "demo", app: "shop", env: "prod", name, format: "json" };
  const created = await adminOk(stack, "POST", "/mgt/configs", { ...place, content: OLD, release: true });
  return String(created.json["id"]);
}
async function publish(id: string): Promise<{ pid: string; index: string }> {
  const begun = await adminOk(stack, "POST", `/mgt/configs/${id}/publish`, {
    content: NEW,
    description: "two",
    strategy: {
      type: "staged",
      stages: [{ name: "chengdu", regions: [STAGE_REGION], bake_minutes: BAKE_MINUTES }],
    },
  });
  expect([begun.status, begun.json["status"], begun.json["version_id"]]).toEqual([202, "stage1", 2]);
  return { pid: String(begun.json["publish_id"]), index: String(begun.json["index"]) };
}
async function servedIn(region: string, name: string, minIndex?: string): Promise<string> {
  const { port } = new URL(stack.dev.edge_url);
  const headers = minIndex === undefined ? {} : { "x-conflux-min-index": minIndex };
  const path = `/api/v1/fetch/config/demo/shop/prod/${name}`;
  return (await getRaw(stack, path, { host: `${region}.localhost:${port}`, ...headers })).text;
}
const servedByOthers = (name: string, minIndex?: string): Promise<string[]> =>
  Promise.all(OTHER_REGIONS.map((region) => servedIn(region, name, minIndex)));
async function untilFull(pid: string): Promise<void> {
  await until(
    async () => (await admin(stack, "GET", `/mgt/publishes/${pid}`)).json["status"] === "full",
    "the plan is full",
    ADVANCED_MS_MAX,
  );
}
/** Audit rows of a plan's end, projected from the feed. */
async function endsOf(name: string): Promise<Record<string, unknown>[]> {
  const { json } = await adminOk(stack, "GET", "/audit-logs?tenant=demo&limit=200");
  return (json["items"] as Record<string, unknown>[]).filter(
    (row) => row["resource"] === `demo/shop/prod/${name}` && String(row["summary"]).includes("to full"),
  );
}

test("P2 P4 L1 one region gets the new version; when it has baked, the function gives it to everyone", async () => {
  const name = "staged.json";
  const id = await create(name);
  const { pid, index } = await publish(id);
  expect(await servedIn(STAGE_REGION, name, index)).toBe(NEW);
  expect(await servedByOthers(name, index)).toEqual(OTHER_REGIONS.map(() => OLD));
  const refused = await admin(stack, "PUT", `/mgt/configs/${id}/releases`, []);
  expect([refused.status, refused.json["code"]]).toEqual([409, "publish_running"]);
  await untilFull(pid);
  await until(
    async () => (await servedByOthers(name)).every((text) => text === NEW),
    "every region serves the new version",
  );
  expect(await servedIn(STAGE_REGION, name)).toBe(NEW);
  const ends = await until(async () => {
    const rows = await endsOf(name);
    return rows.length > 0 && rows;
  }, "the audit has the end");
  expect(ends).toEqual([
    expect.objectContaining({
      action: "publish",
      actor: { type: "system", id: "publish-stage", name: "publish-stage" },
    }),
  ]);
});

test("P5 abort gives the region the version before, for good", async () => {
  const name = "aborted.json";
  const { pid, index } = await publish(await create(name));
  expect(await servedIn(STAGE_REGION, name, index)).toBe(NEW);
  const aborted = await adminOk(stack, "POST", `/mgt/publishes/${pid}/abort`);
  const after = String(aborted.json["index"]);
  expect(aborted.json["status"]).toBe("aborted");
  expect(await servedIn(STAGE_REGION, name, after)).toBe(OLD);
  expect(await servedByOthers(name, after)).toEqual(OTHER_REGIONS.map(() => OLD));
  expect((await admin(stack, "POST", `/mgt/publishes/${pid}/advance`)).json["code"]).toBe(
    "invalid_transition",
  );
});

test("L1 kill -9 of the functions during the bake still ends in full, exactly once", async () => {
  const name = "killed.json";
  const { pid } = await publish(await create(name));
  const killed = stack.dev.pids.lambda;
  process.kill(killed, "SIGKILL");
  await until(() => ![0, killed].includes(stack.dev.pids.lambda), "the runner runs again");
  await untilFull(pid);
  await until(
    async () => (await servedByOthers(name)).every((text) => text === NEW),
    "every region serves the new version",
  );
  await until(async () => (await endsOf(name)).length > 0, "the audit has the end");
  // A write after it, projected too: whatever else the functions did before is in the audit by then.
  await create("after.json");
  await until(async () => {
    const { json } = await adminOk(stack, "GET", "/audit-logs?tenant=demo&limit=200");
    return (json["items"] as Record<string, unknown>[]).some(
      (row) => row["resource"] === "demo/shop/prod/after.json",
    );
  }, "the audit has what came after");
  expect(await endsOf(name)).toHaveLength(1);
});

test("P2 P5 the stages of the seed in five regions: two versions side by side, paused, aborted, full", async () => {
  const name = "seed.json";
  const id = await create(name);
  const regions = [STAGE_REGION, ...OTHER_REGIONS];
  const stages = [
    { name: "one", regions: ["ap-southeast-2"] },
    { name: "two", regions: ["cn-chengdu", "ap-southeast-2", "cn-shanghai"] },
  ];
  const begin = (content: string, query = "") =>
    adminOk(stack, "POST", `/mgt/configs/${id}/publish${query}`, {
      content,
      strategy: { type: "staged", stages },
    });
  const move = (pid: unknown, verb: string) =>
    adminOk(stack, "POST", `/mgt/publishes/${String(pid)}/${verb}`);
  /** The regions that serve `text`, as of a write. */
  async function having(text: string, { json }: { json: Record<string, unknown> }): Promise<string[]> {
    const index = String(json["index"]);
    const texts = await Promise.all(regions.map((region) => servedIn(region, name, index)));
    return regions.filter((_, i) => texts[i] === text);
  }
  const one = ["ap-southeast-2"];
  const two = ["cn-chengdu", "ap-southeast-2", "cn-shanghai"];
  const same = (found: string[], wanted: string[]) => expect(found.toSorted()).toEqual(wanted.toSorted());

  const first = await begin(NEW);
  same(await having(NEW, first), one);
  const second = await move(first.json["publish_id"], "advance");
  same(await having(NEW, second), two);
  same(await having(OLD, second), ["us-east-1", "eu-central-1"]);
  const paused = await move(first.json["publish_id"], "pause");
  same(await having(NEW, paused), two);
  same(await having(OLD, await move(first.json["publish_id"], "abort")), regions);

  const next = await begin('{"n":3}');
  const last = await begin('{"n":4}', "?abort_plan=true");
  same(await having('{"n":4}', last), one);
  same(
    await having(OLD, last),
    regions.filter((region) => !one.includes(region)),
  );
  const old = await adminOk(stack, "GET", `/mgt/publishes/${String(next.json["publish_id"])}`);
  expect(old.json["status"]).toBe("aborted");
  await move(last.json["publish_id"], "advance");
  same(await having('{"n":4}', await move(last.json["publish_id"], "advance")), regions);
  const { json } = await adminOk(stack, "GET", `/mgt/configs/${id}/versions`);
  expect((json["items"] as Record<string, unknown>[]).map((version) => version["status"])).toEqual([
    "full",
    "draft",
    "draft",
    "deprecated",
  ]);
});

test("P5 L1 a forgotten pause ends by its rule", async () => {
  const name = "forgotten.json";
  const { pid } = await publish(await create(name));
  const paused = await adminOk(stack, "POST", `/mgt/publishes/${pid}/pause`, {
    max_minutes: 0.02,
    on_timeout: "abort",
  });
  expect(paused.json["status"]).toBe("paused");
  await until(
    async () => (await admin(stack, "GET", `/mgt/publishes/${pid}`)).json["status"] === "aborted",
    "the plan is aborted",
    ADVANCED_MS_MAX,
  );
  await until(
    async () => (await servedIn(STAGE_REGION, name)) === OLD,
    "the region serves the version before",
  );
});
