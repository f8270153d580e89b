import { beforeEach, describe, expect, it } from "vitest";
import { readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const SOURCES = "/api/v1/gray/data-sources";
type Json = Record<string, unknown>;
let admin: TestingAdmin;
let at: string;
beforeEach(async () => {
  admin = testingAdmin();
  const { id } = await ok("POST", SOURCES, { source: "pop" });
  at = `${SOURCES}/${String(id)}`;
});

async function ok(method: string, path: string, body?: unknown, key?: string): Promise<Json> {
  const headers: Record<string, string> = key === undefined ? {} : { "x-idempotency-key": key };
  const answer = await admin.send(method, path, body, headers);
  const json = await answer.json<Json>();
  expect([method, path, answer.ok, json]).toEqual([method, path, true, json]);
  return { ...json, replayed: answer.headers.get("idempotency-replayed") };
}

describe("C12 P1 an edit that is repeated under its key", () => {
  it("when another one has written over its content is told that it was done, and of the draft as it is now", async () => {
    const first = await ok("PUT", at, { dm: "one" }, "a");
    await ok("PUT", at, { dm: "two", source_group: "g" });
    const again = await ok("PUT", at, { dm: "one" }, "a");
    expect(again).toMatchObject({ version_id: first["version_id"], status: "draft", index: first["index"] });
    expect(again).toMatchObject({ dm: "two", source_group: "g", replayed: "true" });
    expect(await ok("GET", at)).toMatchObject({ dm: "two" });
  });

  it.each([
    ["PUT", "", { dm: "one" }],
    ["POST", "/publish", undefined],
    ["POST", "/advance", undefined],
    ["POST", "/abort", undefined],
  ])("after its config is gone is told of the config: %s %s", async (method, verb, body) => {
    if (verb === "/advance" || verb === "/abort") await ok("POST", `${at}/publish`);
    await ok(method, at + verb, body, "a");
    await ok("DELETE", at.replace(SOURCES, "/api/v1/mgt/configs"));
    const answer = await admin.send(method, at + verb, body, { "x-idempotency-key": "a" });
    const { code, detail } = await readProblem(answer);
    expect([code, detail]).toEqual(["not_found", `no config ${at.slice(SOURCES.length + 1)}`]);
  });
});

describe("P1 a draft that is edited between the two reads of a request", () => {
  /** Before each of the next contents is read, somebody else writes another one. */
  function editMeanwhile(times: number): void {
    const { core } = admin;
    const read = core.getBlob.bind(core);
    let left = times;
    let isEditing = false;
    core.getBlob = async (input) => {
      // What the edit itself reads is left alone.
      if (left > 0 && !isEditing) {
        left -= 1;
        isEditing = true;
        await ok("PUT", at, { source_group: `meanwhile ${left}` });
        isEditing = false;
      }
      return read(input);
    };
  }

  it("is shown and listed as it is then", async () => {
    for (const path of [at, `${at}/versions`, SOURCES]) {
      editMeanwhile(1);
      const shown = await ok("GET", path);
      const [item] = (shown["items"] as Json[] | undefined) ?? [shown];
      expect(item).toMatchObject({ source: "pop", source_group: "meanwhile 0" });
    }
  });

  it("takes both edits", async () => {
    editMeanwhile(1);
    await ok("PUT", at, { dm: "mine" });
    expect(await ok("GET", at)).toMatchObject({ dm: "mine", source_group: "meanwhile 0" });
  });

  it("again and again asks its reader to come again", async () => {
    editMeanwhile(9);
    const { code } = await readProblem(await admin.send("GET", at));
    expect(code).toBe("unavailable");
  });
});

describe("P1 the natural key of a typed config", () => {
  const key = { gateway_code: "a.b", api_version: "c", api_name: "d" };

  it("does not change, also where dots that move from one column to another would leave its name", async () => {
    const { id } = await ok("POST", "/api/v1/gray/api-metas", key);
    const meta = `/api/v1/gray/api-metas/${String(id)}`;
    const answer = await admin.send("PUT", meta, { gateway_code: "a", api_version: "b.c" });
    const problem = await readProblem(answer);
    expect([problem.code, problem.errors.map(({ path }) => path)]).toEqual([
      "validation_failed",
      ["/gateway_code", "/api_version"],
    ]);
    expect(await ok("PUT", meta, { ...key, description: "the same key" })).toMatchObject(key);
  });
});

describe("P2 C7 a dry run of a typed config", () => {
  it("says who would get which version in each of the default stages, and writes nothing", async () => {
    const before = await admin.core.status();
    const preview = await ok("POST", `${at}/publish?dry_run=true`);
    expect(preview).toMatchObject({ dry_run: true, version_id: 1 });
    const steps = preview["steps"] as { status: string; stage: string | null; served: Json[] }[];
    expect(steps.map(({ status, stage }) => [status, stage])).toEqual([
      ["before", null],
      ["stage1", "stage1"],
      ["stage2", "stage2"],
      ["full", null],
    ]);
    const inChengdu = steps.map(({ served }) => served.find(({ region }) => region === "cn-chengdu"));
    expect(inChengdu.map((served) => served?.["version_id"])).toEqual([null, null, 1, 1]);
    expect([await admin.core.status(), (await ok("GET", at))["status"]]).toEqual([before, "draft"]);
  });

  it("goes by the stages of its body, for clients with labels, and is refused as the plan would be", async () => {
    const stages = [{ labels: { tier: "gold" } }];
    const preview = await ok("POST", `${at}/publish?dry_run=true`, { stages, clients: [{ tier: "gold" }] });
    const [, first] = preview["steps"] as { served: Json[] }[];
    expect(first?.served.slice(0, 2).map((served) => served["version_id"])).toEqual([null, 1]);
    const codeOf = async (query: string, body?: Json): Promise<string> =>
      (await readProblem(await admin.send("POST", `${at}/publish${query}`, body))).code;
    expect(await codeOf("", { clients: [] })).toBe("validation_failed");
    await ok("POST", `${at}/publish`);
    expect(await codeOf("?dry_run=true")).toBe("publish_running");
    await ok("POST", `${at}/publish?abort_plan=true`, { strategy: { type: "all" } });
    expect(await codeOf("?dry_run=true")).toBe("invalid_transition");
  });
});

it("P4 a typed config is advanced from the stage that the caller means, once", async () => {
  await ok("POST", `${at}/publish`);
  await ok("POST", `${at}/advance`);
  const { code } = await readProblem(await admin.send("POST", `${at}/advance`, { expected_stage: 1 }));
  expect([code, (await ok("GET", at))["status"]]).toEqual(["invalid_transition", "stage2"]);
  expect(await ok("POST", `${at}/advance`, { expected_stage: 2 })).toMatchObject({ status: "full" });
});

it("P2 a publish warns of regions that nobody knows, also those of later stages", async () => {
  const stages = [{ regions: ["us-east-1"] }, { regions: ["us-east-1", "mars"] }];
  const begun = await ok("POST", `${at}/publish`, { stages });
  expect(begun["warnings"]).toEqual(["the stages name unknown regions: mars"]);
});
