import { expect, it } from "vitest";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import { bundleRule, testBundle } from "../../../domain/bundle/testing-bundles.ts";
import { testCommand, testRule } from "../../../domain/command/testing-commands.ts";
import { codeOf, unique } from "./core-conformance.ts";

/** What every `CorePort` promises of bundles. */
export function bundleConformance(core: () => CorePort): void {
  it("C13 plans a bundle, applies that plan alone, and exports what it applied", async () => {
    const [app, id] = [unique(), unique()];
    const { command, attachments } = testBundle(id, [{ app, name: "a", content: "1" }]);
    const { plan, guards } = await core().planBundle(command);
    expect(guards).toEqual([]);
    expect(plan.items.map(({ action }) => action)).toEqual(["create"]);
    const payload = { ...command.payload, if_plan: plan.digest };
    const applied = await core().propose({ command: { ...command, payload }, attachments });
    expect(applied.result).toEqual({ bundle_id: id, plan });
    expect(await codeOf(core().propose({ command: { ...command, payload }, attachments }))).toBe(
      "precondition_failed",
    );
    const exported = await core().exportBundle({ tenant: "demo", app });
    expect(exported.configs).toMatchObject([{ app, env: "prod", name: "a", releases: [] }]);
    expect(Object.values(exported.blobs)).toEqual([btoa("1")]);
    const missing = testBundle(id, [{ app, name: "b", content: `sha256:${"0".repeat(64)}` }]);
    expect(await codeOf(core().planBundle(missing.command))).toBe("validation_failed");
    const swapped = core().propose({ command, attachments: [new Uint8Array([9])] });
    expect(await codeOf(swapped)).toBe("malformed_request");
  });

  it("C13 plans no rules over those that the bundle has left alone so far", async () => {
    const [app, id] = [unique(), unique()];
    const { command, attachments } = testBundle(id, [{ app, name: "a", content: "1" }]);
    await core().propose({ command, attachments });
    const { items } = await core().listConfigs({ tenant: "demo", app, limit: 1 });
    const config_id = items[0]?.id ?? "";
    const releases = [testRule(1, { tier: "gold" })];
    await core().propose({ command: testCommand("put_releases", { config_id, releases }), attachments: [] });
    const first = [{ app, name: "a", content: "1", releases: [bundleRule("bundle")] }];
    const blockedOf = async (flags: Parameters<typeof testBundle>[2]): Promise<unknown> =>
      (await core().planBundle(testBundle(id, first, flags).command)).plan.items[0]?.blocked?.code;
    expect([await blockedOf({}), await blockedOf({ adopt: true }), await blockedOf({ force: true })]).toEqual(
      ["conflict", undefined, undefined],
    );
  });
}
