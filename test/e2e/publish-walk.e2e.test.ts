import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { wholeCluster } from "../testing/failover-load.ts";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, getRaw } from "../testing/stack-client.ts";

/** The seed's regions, and one of two other continents. */
const REGIONS = ["ap-southeast-2", "cn-chengdu", "cn-shanghai", "us-east-1", "eu-central-1"];
const ONE = ["ap-southeast-2"];
const THREE = ["cn-chengdu", "ap-southeast-2", "cn-shanghai"];
/** The seed's stages, moved by hand alone; everyone comes after the last. */
const STRATEGY = {
  type: "staged",
  stages: [
    { name: "stage 1", regions: ONE },
    { name: "stage 2", regions: THREE },
  ],
};
/** What a write may be refused with while the leader is gone. */
const AWAY = ["unavailable", "not_proposed", "outcome_unknown"];
/** Region by region; null where nothing is served. */
type Served = Record<string, string | null>;
type Json = Record<string, unknown>;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { CONFLUX_NODES: "3", CONFLUX_REGIONS: REGIONS.join(",") } });
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
});

const content = (version: number): string => `{"version":${version}}`;
/** `version` in `regions`, and `others` everywhere else. */
function side(version: number, regions: readonly string[], others: number | null): Served {
  const text = (n: number | null) => (n === null ? null : content(n));
  return Object.fromEntries(REGIONS.map((r) => [r, text(regions.includes(r) ? version : others)]));
}
async function create(name: string): Promise<string> {
  const place = { tenant: "demo", app: "walk", env: "prod", name, format: "json" };
  return String((await adminOk(stack, "POST", "/mgt/configs", { ...place, content: content(1) })).json["id"]);
}

/** Where the edge has the configs that `create` makes. */
const placeOf = (name: string): string => `walk/prod/${name}`;
/** What one region serves as of a write's index: while its replica looks for a leader it is asked again. */
async function servedIn(region: string, place: string, index: string): Promise<string | null> {
  const { port } = new URL(stack.dev.edge_url);
  const headers = { host: `${region}.localhost:${port}`, "x-conflux-min-index": index };
  const answer = await until(async () => {
    const found = await getRaw(stack, `/api/v1/fetch/config/demo/${place}`, headers);
    return found.status !== 503 && found;
  }, `${region} has ${index}`);
  expect([200, 404]).toContain(answer.status);
  return answer.status === 200 ? answer.text : null;
}
/** What every region serves as of a write's index, asked of all at once. */
async function served(place: string, index: unknown): Promise<Served> {
  const texts = await Promise.all(REGIONS.map((region) => servedIn(region, place, String(index))));
  return Object.fromEntries(REGIONS.map((region, i) => [region, texts[i] ?? null]));
}

/** A write that is sent again under its key until the core has a leader that says what became of it. */
function insist(method: "POST" | "PUT", path: string, body?: unknown): Promise<Json> {
  const key = { "x-idempotency-key": randomUUID() };
  return until(async () => {
    const { status, json } = await admin(stack, method, path, body, key);
    if (status < 300) return json;
    if (!AWAY.includes(String(json["code"]))) throw new Error(`${path}: ${JSON.stringify(json)}`);
    return null;
  }, `${path} is answered`);
}
let kills = 0;
/** A write in whose middle the leader is killed: before it has come there, or after, by turns. */
async function moveOverKill(path: string, body?: unknown, method: "POST" | "PUT" = "POST"): Promise<Json> {
  const { leader_id } = await wholeCluster(stack);
  const pid = stack.dev.pids.core[(leader_id ?? 0) - 1] ?? 0;
  expect(pid).toBeGreaterThan(0);
  kills += 1;
  if (kills % 2 === 0) process.kill(pid, "SIGKILL");
  const answered = insist(method, path, body);
  if (kills % 2 === 1) process.kill(pid, "SIGKILL");
  const answer = await answered;
  await until(
    () => ![0, pid].includes(stack.dev.pids.core[(leader_id ?? 0) - 1] ?? 0),
    "the node runs again",
  );
  return answer;
}
const advance = (pid: unknown) => moveOverKill(`/mgt/publishes/${String(pid)}/advance`);

/** Walks a version through the seed's stages; `before` is what everyone had. */
async function walk(id: string, name: string, version: number, before: number | null): Promise<void> {
  const what = version === 1 ? { version_id: 1 } : { content: content(version) };
  const begun = await moveOverKill(`/mgt/configs/${id}/publish`, { ...what, strategy: STRATEGY });
  expect([begun["status"], begun["version_id"]]).toEqual(["stage1", version]);
  expect(await served(placeOf(name), begun["index"])).toEqual(side(version, ONE, before));
  const second = await advance(begun["publish_id"]);
  expect(second["status"]).toBe("stage2");
  expect(await served(placeOf(name), second["index"])).toEqual(side(version, THREE, before));
  const full = await advance(begun["publish_id"]);
  expect(full["status"]).toBe("full");
  expect(await served(placeOf(name), full["index"])).toEqual(side(version, REGIONS, before));
}
async function statuses(id: string): Promise<unknown[]> {
  const { json } = await adminOk(stack, "GET", `/mgt/configs/${id}/versions`);
  return (json["items"] as Json[]).map((version) => version["status"]).toReversed();
}
/** Moves of a config as the history tells them, from the first, once `count` of them are there. */
function history(id: string, count: number): Promise<string[]> {
  return until(async () => {
    const { json } = await adminOk(
      stack,
      "GET",
      `/gray/publish-history?tenant=demo&config_id=${id}&limit=200`,
    );
    const moves = (json["items"] as Json[]).toReversed();
    return (
      moves.length >= count &&
      moves.map(
        (move) =>
          `v${String(move["version_id"])} ${String(move["status"])} ${(move["gray_groups"] as string[]).join("+")} ${String(move["operator"])}`,
      )
    );
  }, `${count} moves are in the history`);
}

test("P2 P3 R14 draft, stage 1, stage 2, full, twice, with the leader killed in the middle of each move: every region serves what it should, and the history has each move once", async () => {
  const name = "walk.json";
  const id = await create(name);
  expect(await statuses(id)).toEqual(["draft"]);
  await walk(id, name, 1, null);
  expect(await statuses(id)).toEqual(["full"]);
  await walk(id, name, 2, 1);
  expect(await statuses(id)).toEqual(["deprecated", "full"]);
  expect(kills).toBe(6);
  const two = "ap-southeast-2+cn-chengdu+cn-shanghai";
  expect(await history(id, 7)).toEqual([
    "v1 stage1 ap-southeast-2 admin",
    `v1 stage2 ${two} admin`,
    "v1 full * admin",
    "v2 stage1 ap-southeast-2 admin",
    `v2 stage2 ${two} admin`,
    "v2 full * admin",
    "v1 deprecated  admin",
  ]);
});

test("P5 abort in each stage, and paused, gives every region what it had, also with the leader killed in its middle", async () => {
  const name = "aborted.json";
  const id = await create(name);
  const begin = async (body: Json): Promise<Json> =>
    (await adminOk(stack, "POST", `/mgt/configs/${id}/publish`, { ...body, strategy: STRATEGY })).json;
  const move = async (pid: unknown, verb: string): Promise<Json> =>
    (await adminOk(stack, "POST", `/mgt/publishes/${String(pid)}/${verb}`)).json;

  const first = await begin({ version_id: 1 });
  expect(await served(placeOf(name), first["index"])).toEqual(side(1, ONE, null));
  const nothing = await move(first["publish_id"], "abort");
  expect(await served(placeOf(name), nothing["index"])).toEqual(side(1, [], null));

  const { json: all } = await adminOk(stack, "POST", `/mgt/configs/${id}/rollback`, { version_id: 1 });
  expect(await served(placeOf(name), all["index"])).toEqual(side(1, REGIONS, null));
  for (const [version, verbs, regions] of [
    [2, [], ONE],
    [3, ["advance"], THREE],
    [4, ["advance", "pause"], THREE],
  ] as const) {
    let last = await begin({ content: content(version) });
    const pid = last["publish_id"];
    for (const verb of verbs) last = await move(pid, verb);
    expect(await served(placeOf(name), last["index"])).toEqual(side(version, regions, 1));
    const aborted = await moveOverKill(`/mgt/publishes/${String(pid)}/abort`);
    expect(aborted["status"]).toBe("aborted");
    expect(await served(placeOf(name), aborted["index"])).toEqual(side(version, [], 1));
  }
  expect(await statuses(id)).toEqual(["full", "draft", "draft", "draft"]);
  const ends = (await history(id, 11)).filter((told) => told.includes("aborted"));
  expect(ends).toEqual([1, 2, 3, 4].map((version) => `v${version} aborted  admin`));
});

test("P1 P2 R14 version 2 of a typed config is edited and brought through the default stages, with the leader killed in the middle of each write", async () => {
  const { json: made } = await adminOk(stack, "POST", "/gray/data-sources", { source: "walked", dm: "one" });
  const at = `/gray/data-sources/${String(made["id"])}`;
  const { json: all } = await adminOk(stack, "POST", `${at}/publish`, { strategy: { type: "all" } });
  /** The column that tells the versions apart, region by region. */
  const columns = async (index: unknown): Promise<Served> => {
    const texts = Object.entries(await served("gray/data-source/walked", index));
    return Object.fromEntries(
      texts.map(([region, text]) => [region, text && (JSON.parse(text) as { dm: string }).dm]),
    );
  };
  const twoIn = (regions: readonly string[]): Served =>
    Object.fromEntries(REGIONS.map((region) => [region, regions.includes(region) ? "two" : "one"]));
  expect(await columns(all["index"])).toEqual(twoIn([]));
  const draft = await moveOverKill(at, { dm: "two" }, "PUT");
  expect([draft["status"], draft["version_id"]]).toEqual(["draft", `${String(made["id"])}-v2`]);
  expect(await columns(draft["index"])).toEqual(twoIn([]));
  for (const [move, expected_stage, status, regions] of [
    ["publish", null, "stage1", ONE],
    ["advance", 1, "stage2", THREE],
    ["advance", 2, "full", REGIONS],
  ] as const) {
    const moved = await moveOverKill(
      `${at}/${move}`,
      expected_stage === null ? undefined : { expected_stage },
    );
    expect([moved["status"], moved["version_id"]]).toEqual([status, draft["version_id"]]);
    expect(await columns(moved["index"])).toEqual(twoIn(regions));
  }
  const { json } = await adminOk(stack, "GET", `${at}/versions`);
  expect((json["items"] as Json[]).map((version) => version["status"])).toEqual(["full", "deprecated"]);
});
