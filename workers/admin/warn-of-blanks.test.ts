import { describe, expect, it } from "vitest";
import type { RuleCondition } from "../../domain/release-rule/release-rule.ts";
import { newConfig, testingAdmin } from "./testing-admin.ts";
import { warnOfBlanks, warnOfStageBlanks } from "./warn-of-blanks.ts";

const when = (op: RuleCondition["op"], ...values: string[]) => ({
  labels: {},
  when: [{ label: "a", op, values }],
});

describe("C4 labels with outer blanks", () => {
  it.each([
    { labels: { b: "y", a: " x" } },
    { labels: { a: "x " } },
    { labels: { a: " " } },
    when("in", " x", "y "),
    when("prefix", " x"),
    when("suffix", "x ", " "),
  ])("of %j no client can have them", (rule) => {
    expect(warnOfBlanks([{ labels: {} }, rule])).toEqual([
      "the rule at 1 can never match: no header carries the outer blanks of label a",
    ]);
  });

  it.each([
    { labels: { a: "x y" } },
    { labels: { a: "" } },
    { labels: { a: "\u00a0x" } },
    when("in", " x", "y"),
    when("prefix", "x "),
    when("suffix", " x"),
    when("not_in", " x "),
    when("regex", "^ x"),
    when("exists"),
  ])("of %j a client may still match", (rule) => {
    expect(warnOfBlanks([rule])).toEqual([]);
  });

  it("are told of 20 rules, and the rest is counted", () => {
    const said = warnOfBlanks(Array.from({ length: 25 }, () => ({ labels: { a: " x" } })));
    expect([said.length, said.at(-1)]).toEqual([21, "5 more rules can never match for outer blanks"]);
  });

  it("are told of the stages of a plan", () => {
    expect(warnOfStageBlanks([{ labels: null }, { labels: { a: "x" } }, { labels: { a: "x " } }])).toEqual([
      "the stage at 2 reaches nobody: no header carries the outer blanks of label a",
    ]);
  });

  it("are told wherever rules are written", async () => {
    const admin = testingAdmin();
    const [labels, said] = [
      { a: " x " },
      "the rule at 0 can never match: no header carries the outer blanks of label a",
    ];
    const post = async (path: string, body: unknown, method = "POST") =>
      (await admin.send(method, `/api/v1/mgt${path}`, body)).json<Record<string, unknown>>();
    const made = await post("/configs", newConfig({ releases: [{ labels, version_id: 1 }] }));
    const rules = [{ labels, version_id: 1 }];
    const head = { id: "team", tenant: "demo", app: "shop", env: "prod" };
    const entry = { name: "b", format: "json", content: "{}", releases: [{ labels, version: "bundle" }] };
    const bundle = { bundle: head, configs: [entry] };
    const stages = [{ name: "one", labels }];
    const publish = { content: "{}", strategy: { type: "staged", stages } };
    const batch = await post("/releases:batch", { items: [{ config_id: made["id"], releases: rules }] });
    expect([
      made["warnings"],
      (await post(`/configs/${String(made["id"])}/releases`, rules, "PUT"))["warnings"],
      (batch["items"] as { warnings: string[] }[])[0]?.warnings,
      (await post("/apply?dry_run=true", bundle))["warnings"],
      (await post("/apply", bundle))["warnings"],
      (await post(`/configs/${String(made["id"])}/publish?dry_run=true`, publish))["warnings"],
    ]).toEqual([
      [said],
      [said],
      [said],
      [`shop/prod/b: ${said}`],
      [`shop/prod/b: ${said}`],
      expect.arrayContaining([
        "the stage at 0 reaches nobody: no header carries the outer blanks of label a",
      ]),
    ]);
  });
});
