import { expect, it } from "vitest";
import { newConfig, readProblem, testingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";

const when = (op: string, values?: unknown[]) => ({ version_id: 1, when: [{ label: "a", op, values }] });
const share = (percentage: object) => ({ version_id: 1, percentage });

it.each<[string, object, string, RegExp]>([
  ["an operator that is not there", when("equals", ["x"]), "/when/0/op", /not_in, prefix/],
  ["a condition without its values", when("in"), "/when/0/values", /1-1000 values, got 0/],
  ["a value that is no text", when("in", [{}]), "/when/0/values/0", /a text, a boolean or a number/],
  ["a number with more digits than are surely read", when("in", [1e20]), "/when/0/values/0", /15 digits/],
  ["a condition on no label", { version_id: 1, when: [{ op: "exists" }] }, "/when/0/label", /./],
  [
    "an unknown word in a condition",
    { version_id: 1, when: [{ label: "a", op: "exists", not: true }] },
    "/when/0/not",
    /unknown field/,
  ],
  [
    "an expression that is no RE2",
    when("regex", ["x", "(?=a)"]),
    "/when/0/values/1",
    /no RE2 syntax: .*\(\?=/,
  ],
  [
    "an expression that repeats too much",
    when("regex", ["(.{30}){30}"]),
    "/when/0/values/0",
    /repeats too much/,
  ],
  ["an expression over its limit", when("regex", ["x".repeat(257)]), "/when/0/values/0", /1-256 bytes/],
  ["a range of no versions", when("semver", ["newest"]), "/when/0/values/0", /a range of versions such as/],
  ["a percentage of nothing", share({}), "/percentage/by", /./],
  ["a percentage over all", share({ by: "user", percent: 101 }), "/percentage/percent", /100/],
  [
    "a percentage with three decimals",
    share({ by: "user", percent: 12.345 }),
    "/percentage/percent",
    /two decimals/,
  ],
])("C5 refuses %s, in a list and in a new config", async (_name, rule, path, message) => {
  const admin = testingAdmin();
  const created = await admin.send("POST", CONFIGS, newConfig({ release: true }));
  const { id, releases } = await created.json<{ id: string; releases: unknown[] }>();
  const put = await admin.send("PUT", `${CONFIGS}/${id}/releases`, [{ version_id: 1, priority: 1 }, rule]);
  const create = await admin.send("POST", CONFIGS, newConfig({ name: "n", releases: [rule] }));
  for (const [answer, prefix] of [
    [put, "/1"],
    [create, "/releases/0"],
  ] as const) {
    const { status, code, errors } = await readProblem(answer);
    expect([status, code]).toEqual([400, "validation_failed"]);
    expect(errors[0]).toMatchObject({ path: prefix + path, message: expect.stringMatching(message) });
  }
  const after = await admin.send("GET", `${CONFIGS}/${id}/releases`);
  expect((await after.json<{ releases: unknown[] }>()).releases).toEqual(releases);
});
