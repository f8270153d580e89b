import { describe, expect, it } from "vitest";
import { scanAll, VERSIONS_PAGE } from "../command/scan-all.ts";
import { stateKey } from "../command/state-view.ts";
import { testRule } from "../command/testing-commands.ts";
import { listEnvelopes } from "../encryption/list-envelopes.ts";
import { findDueVersions } from "../retention/due-versions.ts";
import { TestingRetention } from "../retention/testing-retention.ts";
import { sha256OfText } from "../sha256-of-text.ts";
import { bundleRule, testBundle } from "./testing-bundles.ts";
import { planBundle } from "./plan-bundle.ts";

describe("C13 contents of a config with very many versions", () => {
  it("C13 are looked for some versions at a time, and none is held: each may come with a large schema", () => {
    const machine = new TestingRetention();
    const id = machine.create("a", 3 * VERSIONS_PAGE, { releases: [testRule(1)], retention: { count: 1 } });
    const content = { attachment: 0, sha256: sha256OfText("old") };
    const version = { config_id: id, content, format: "text" as const, schema: null, description: "" };
    machine.done("create_version", version);
    machine.addVersion(id, "a");
    const pages: number[] = [];
    const scan = machine.state.scan.bind(machine.state);
    machine.state.scan = (prefix, options) => {
      if (prefix === stateKey.versionPrefix(id)) pages.push(options.limit);
      return scan(prefix, options);
    };
    const entry = { name: "a", content: "new", versions: { old: "old", none: "none" } };
    const releases = [bundleRule("old", "x"), bundleRule("none")];
    const { command } = testBundle("git", [{ ...entry, releases }], { adopt: true });
    const planned = planBundle(machine.state, "demo", command.payload);
    const rules = planned.ok ? planned.work[0]?.config?.releases : null;
    expect(rules?.map(({ version_id }) => version_id)).toEqual([
      3 * VERSIONS_PAGE + 1,
      3 * VERSIONS_PAGE + 3,
    ]);
    findDueVersions(machine.state, machine.config(id), machine.nowMs);
    listEnvelopes(machine.state, { tenant: "demo", cursor: null });
    machine.done("delete_config", { config_id: id });
    expect([pages.length > 4, Math.max(...pages)]).toEqual([true, VERSIONS_PAGE]);
    expect([...scanAll(machine.state, stateKey.versionPrefix(id))]).toEqual([]);
  });
});
