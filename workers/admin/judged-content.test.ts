import { beforeEach, describe, expect, it } from "vitest";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CommandKind } from "../../domain/command/command.ts";
import { readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
/** By turns: what the bundle has its config's schema ask for. */
const SCHEMAS = ["b", "a"].map((field) => ({ type: "object", required: [field] }));
let admin: TestingAdmin;
let id: string;

async function applySchema(schema: unknown): Promise<void> {
  const config = { name: "a", format: "json", content: '{"a":1,"b":1}', schema };
  const bundle = { id: "team", tenant: "demo", app: "shop", env: "prod" };
  expect((await admin.send("POST", "/api/v1/mgt/apply", { bundle, configs: [config] })).status).toBe(200);
}
const latest = async (): Promise<number> => (await admin.core.getConfig(id)).config.latest_version_id;

/** Has a bundle set another schema each time, after a content was judged and before the log has it. */
function overtake(kind: CommandKind, times: number): { tries: () => number } {
  const real = admin.core.propose.bind(admin.core);
  let tries = 0;
  admin.core.propose = (async (input: Parameters<typeof real>[0]) => {
    if (input.command.kind === kind && tries++ < times) await applySchema(SCHEMAS[(tries - 1) % 2]);
    return real(input);
  }) as typeof real;
  return { tries: () => tries };
}

beforeEach(async () => {
  admin = testingAdmin();
  await applySchema(SCHEMAS[1]);
  id = (await admin.core.getConfigByName("demo/shop/prod/a")).config.id;
});

const WRITES: [string, CommandKind, (content: string) => [string, unknown]][] = [
  ["a version", "create_version", (content) => [`${CONFIGS}/${id}/versions`, { content }]],
  [
    "a publish plan",
    "start_publish",
    (content) => [`${CONFIGS}/${id}/publish`, { content, strategy: { type: "all" } }],
  ],
  [
    "an item of a batch",
    "batch_releases",
    (content) => [
      "/api/v1/mgt/releases:batch",
      { items: [{ config_id: id, content, default_version_id: "new" }] },
    ],
  ],
];

describe.each(WRITES)("C3 the content of %s", (_name, kind, request) => {
  const write = (content: string, headers = {}): Promise<Response> => {
    const [path, body] = request(content);
    return admin.send("POST", path, body, headers);
  };

  it("C3 is judged anew by the schema that a bundle has set meanwhile, and not stored when it is not of that", async () => {
    const { tries } = overtake(kind, 1);
    const refused = await readProblem(await write('{"a":2}'));
    expect([refused.code, tries(), await latest()]).toEqual(["validation_failed", 1, 1]);
  });

  it("C3 is stored when it is of the new schema, too", async () => {
    const { tries } = overtake(kind, 2);
    expect((await write('{"a":2,"b":2}')).ok).toBe(true);
    expect([tries(), await latest()]).toEqual([3, 2]);
  });

  it("C3 is refused when the schema changes each time", async () => {
    const { tries } = overtake(kind, 9);
    const refused = await readProblem(await write('{"a":2,"b":2}'));
    expect([refused.code, tries(), await latest()]).toEqual(["precondition_failed", 3, 1]);
  });

  it.each([
    ["voters of such a build", "upgrade_in_progress"],
    ["a leader of such a build, which takes the field for a fault", "malformed_request"],
  ] as const)("R5 is proposed as builds before knew it, with %s", async (_build, code) => {
    const real = admin.core.propose.bind(admin.core);
    admin.core.propose = (async (input: Parameters<typeof real>[0]) => {
      if (!JSON.stringify(input.command).includes("judged_by")) return real(input);
      throw new ConfluxError(code, "judged_content is not taken yet");
    }) as typeof real;
    expect((await write('{"a":2}')).ok).toBe(true);
    expect(await latest()).toBe(2);
  });
});

describe("C3 C12 a content for one revision of its config", () => {
  it("C12 is refused at once when the config has another", async () => {
    const { tries } = overtake("create_version", 9);
    const etag = `"${(await admin.core.getConfig(id)).config.revision}"`;
    const headers = { "if-match": etag };
    const answer = await admin.send(
      "POST",
      `${CONFIGS}/${id}/versions`,
      { content: '{"a":2,"b":2}' },
      headers,
    );
    expect([answer.status, tries()]).toEqual([412, 1]);
  });

  it("C3 needs no word of the config when it comes with a format and a schema of its own", async () => {
    const { tries } = overtake("create_version", 9);
    const body = { content: '{"c":1}', format: "json", schema: {} };
    expect((await admin.send("POST", `${CONFIGS}/${id}/versions`, body)).status).toBe(201);
    expect(tries()).toBe(1);
  });
});
