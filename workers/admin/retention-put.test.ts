import { beforeEach, describe, expect, it } from "vitest";
import { abilitiesNeeded, BASE_COMMAND_KINDS } from "../../domain/command/command-kinds.ts";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import { parseCommand } from "../../domain/command/command-schema.ts";
import { testCommand } from "../../domain/command/testing-commands.ts";
import { newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
let admin: TestingAdmin;
let config: string;
beforeEach(async () => {
  admin = testingAdmin();
  const created = await admin.send("POST", CONFIGS, newConfig({ release: true, retention: { count: 9 } }));
  config = `${CONFIGS}/${(await created.json<{ id: string }>()).id}`;
});
const put = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  admin.send("PUT", `${config}/retention`, body, headers);
const get = async () => (await admin.send("GET", config)).json<Record<string, unknown>>();

describe("C10 the retention of a config", () => {
  it("is set, taken away, and read back; its rules and versions stay as they are", async () => {
    const { releases } = await get();
    for (const [body, retention] of [
      [
        { count: 5, days: 90 },
        { count: 5, days: 90 },
      ],
      [{ days: 1 }, { days: 1 }],
      [{}, null],
    ]) {
      const answer = await put(body);
      expect([answer.status, await answer.json()]).toMatchObject([200, { retention }]);
      expect(await get()).toMatchObject({ retention, releases, latest_version_id: 1 });
    }
    expect(checkInvariants(admin.core.state)).toEqual([]);
    const { entries } = await admin.core.feed({ after: 1, limit: 9, wait_ms: 0, view: "full" });
    expect(entries.map(({ audit }) => audit.summary)).toEqual([
      "set the retention from 9 versions to 5 versions and 90 days",
      "set the retention from 5 versions and 90 days to 1 days",
      "set the retention from 1 days to all versions",
    ]);
  });

  it("C12 takes a repetition for one, and a stale ETag for stale", async () => {
    const key = { "x-idempotency-key": "k" };
    const first = await (await put({ count: 3 }, key)).json();
    const again = await put({ count: 3 }, key);
    expect([await again.json(), again.headers.get("idempotency-replayed")]).toEqual([first, "true"]);
    expect((await put({ count: 4 }, { "if-match": '"1"' })).status).toBe(412);
  });

  it.each<[string, unknown, string, string | undefined, string]>([
    ["no versions", { count: 0 }, "validation_failed", "/count", "admin"],
    ["half a day", { days: 0.5 }, "validation_failed", "/days", "admin"],
    ["a word", { keep: 3 }, "validation_failed", undefined, "admin"],
    ["a reader", { count: 3 }, "forbidden", undefined, "reader"],
    ["who may only publish", { count: 3 }, "forbidden", undefined, "publisher"],
    ["a stranger", { count: 3 }, "not_found", undefined, "stranger"],
  ])("refuses %s", async (_name, body, code, path, as) => {
    const problem = await readProblem(await put(body, { authorization: `Bearer ${as}` }));
    expect(problem.code).toBe(code);
    if (path !== undefined) expect(problem.errors[0]?.path).toBe(path);
    expect(await get()).toMatchObject({ retention: { count: 9 } });
  });

  it("is a kind that every voter must know", () => {
    const command = testCommand("set_retention", { config_id: "cfg-1", retention: null });
    expect(BASE_COMMAND_KINDS).not.toContain("set_retention");
    expect(abilitiesNeeded(command)).toEqual(["set_retention"]);
    expect(parseCommand(command)).toEqual({ ok: true, command });
  });
});
