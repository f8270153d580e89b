import * as fc from "fast-check";
import { expect, it } from "vitest";
import { checkInvariants } from "../command/check-invariants.ts";
import type { Command } from "../command/command.ts";
import type { MemoryState } from "../command/memory-state.ts";
import { MemoryStateMachine } from "../command/memory-state-machine.ts";
import { scanAll } from "../command/scan-all.ts";
import { testCommand, testConfigPayload, testRule } from "../command/testing-commands.ts";
import type { Config } from "../config/config.ts";
import { sha256OfText } from "../sha256-of-text.ts";
import type { BundlePlan } from "./bundle.ts";
import { exportBundle, type ExportedConfig } from "./export-bundle.ts";
import { bundleRule, testBundle, type TestEntry } from "./testing-bundles.ts";

const name = fc.constantFrom("a", "b", "c", "d");
const text = fc.constantFrom("1", "2", "3");
const label = fc.constantFrom(undefined, "x", "y");
const releases = fc.uniqueArray(fc.record({ version: fc.constantFrom("bundle", "old"), label }), {
  maxLength: 3,
  selector: (rule) => rule.label,
});
const entry = fc.record({
  name,
  content: text,
  old: text,
  description: fc.constantFrom("", "d"),
  releases: fc.option(releases, { freq: 3 }),
});
type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;
const step = fc.oneof(
  fc.record({
    do: fc.constant("apply" as const),
    bundle: fc.constantFrom("one", "two"),
    entries: fc.uniqueArray(entry, { maxLength: 4, selector: (e) => e.name }),
    prune: fc.boolean(),
    adopt: fc.boolean(),
    force: fc.boolean(),
    abort_plan: fc.boolean(),
  }),
  fc.record({ do: fc.constant("create" as const), name, text }),
  fc.record({ do: fc.constant("version" as const), name, text }),
  fc.record({ do: fc.constant("rules" as const), name, version: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant("publish" as const), name, text }),
  fc.record({ do: fc.constant("delete" as const), name }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What a test gives for the content of a hash: contents are texts of one character. */
const TEXTS = new Map(["1", "2", "3"].map((one) => [sha256OfText(one), one]));

function toEntry({ old, content, releases: rules, ...given }: Entry): TestEntry {
  const isSame = old === content;
  return {
    ...given,
    content,
    versions: isSame ? {} : { old },
    releases: rules && rules.map((rule) => bundleRule(isSame ? "bundle" : rule.version, rule.label)),
  };
}

function fromExport({ name: of, contents, description, releases: rules }: ExportedConfig): TestEntry {
  const [own, ...others] = contents.map(
    ({ name: called, sha256 }) => [called, TEXTS.get(sha256) ?? ""] as const,
  );
  return {
    name: of,
    content: own?.[1] ?? "",
    versions: Object.fromEntries(others),
    description,
    releases: rules,
  };
}

function configsOf(state: MemoryState): Map<string, Config> {
  return new Map([...scanAll(state, "c/")].map(({ value }) => [(value as Config).name, value as Config]));
}

class World {
  readonly machine = new MemoryStateMachine({ clusterId: "c1", feedRetainedEntriesMax: 10_000 });
  #nowMs = 0;

  run(command: Command, attachments: readonly Uint8Array[]) {
    return this.machine.apply({ command, attachments, timestampMs: (this.#nowMs += 10) });
  }
  apply(id: string, entries: readonly TestEntry[], flags: Parameters<typeof testBundle>[2] = {}) {
    const { command, attachments } = testBundle(id, entries, flags);
    return this.run(command, attachments);
  }
  byHand(hand: Exclude<Step, { do: "apply" }>): void {
    const config_id = configsOf(this.machine.state).get(hand.name)?.id ?? "cfg-none";
    const bytes = "text" in hand ? [Uint8Array.from(hand.text, (c) => c.charCodeAt(0))] : [];
    const content = { attachment: 0, sha256: "text" in hand ? sha256OfText(hand.text) : "" };
    const description = "";
    if (hand.do === "create") {
      const more = { format: "text" as const, releases: [testRule(1)] };
      this.run(testCommand("create_config", testConfigPayload(hand.name, content.sha256, more)), bytes);
    } else if (hand.do === "version") {
      this.run(
        testCommand("create_version", { config_id, content, format: null, schema: null, description }),
        bytes,
      );
    } else if (hand.do === "rules") {
      this.run(testCommand("put_releases", { config_id, releases: [testRule(hand.version)] }), []);
    } else if (hand.do === "publish") {
      const stages = [{ name: "s", regions: null, labels: { l: "x" }, bake_minutes: null }];
      const plan = { config_id, content, version_id: null, description, strategy: "canary" as const, stages };
      this.run(testCommand("start_publish", plan), bytes);
    } else this.run(testCommand("delete_config", { config_id }), []);
  }
}

it("C13 whatever is done by hand between: a bundle touches what it owns alone, is applied whole or not at all, and once", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25, size: "max" }), (steps) => {
      const world = new World();
      const { state } = world.machine;
      for (const given of steps) {
        if (given.do !== "apply") {
          world.byHand(given);
          expect(checkInvariants(state)).toEqual([]);
          continue;
        }
        const { bundle, entries, do: _do, ...flags } = given;
        const before = configsOf(state);
        const rows = JSON.stringify(state.rows());
        const wanted = entries.map(toEntry);
        const outcome = world.apply(bundle, wanted, flags);
        expect(checkInvariants(state)).toEqual([]);
        const after = configsOf(state);
        if (!outcome.ok) {
          expect(JSON.stringify(state.rows())).toBe(rows);
          // With every right it has, a bundle stands over everything.
          expect(flags.adopt && flags.force && flags.abort_plan).toBe(false);
          continue;
        }
        for (const [called, config] of before) {
          const isNamed = wanted.some((one) => one.name === called);
          const mayTouch = config.bundle?.id === bundle ? isNamed || flags.prune : isNamed && flags.adopt;
          if (!mayTouch) expect(after.get(called)).toEqual(config);
        }
        for (const { name: called, content, description, releases: rules } of wanted) {
          const config = after.get(called);
          const latest = state.json(`v/${config?.id}/${String(config?.latest_version_id).padStart(16, "0")}`);
          expect(latest).toMatchObject({ sha256: sha256OfText(content) });
          expect(config).toMatchObject({ description, bundle: { id: bundle } });
          if (rules !== null && rules !== undefined) {
            const users = config?.releases.filter((rule) => rule.publish_id === undefined);
            expect(users?.map((rule) => rule.labels["l"])).toEqual(rules.map((rule) => rule.labels["l"]));
          }
        }
        const settled = JSON.stringify(state.rows());
        const again = world.apply(bundle, wanted, flags);
        expect(again).toMatchObject({ ok: true });
        expect(JSON.stringify(state.rows())).toBe(settled);
      }
    }),
    { numRuns: 300 },
  );
});

it("C13 an export that is applied again changes nothing, and makes an empty tenant the same", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25, size: "max" }), (steps) => {
      const world = new World();
      const { state } = world.machine;
      for (const given of steps) {
        if (given.do === "apply") {
          const { bundle, entries, do: _do, ...flags } = given;
          world.apply(bundle, entries.map(toEntry), flags);
        } else world.byHand(given);
      }
      const exported = exportBundle(state, { tenant: "demo" });
      if (!exported.ok) throw new Error(exported.detail);
      const entries = exported.configs.map(fromExport);
      const bare = () => [...configsOf(state).values()].map(({ bundle: _bundle, ...config }) => config);
      const before = bare();
      const outcome = world.apply("git", entries, { adopt: true });
      expect(outcome).toMatchObject({ ok: true });
      expect(bare()).toEqual(before);
      expect(
        outcome.ok && (outcome.result as { plan: BundlePlan }).plan.items.flatMap((i) => i.drift),
      ).toEqual([]);
      const empty = new World();
      expect(empty.apply("git", entries)).toMatchObject({ ok: true });
      const copied = exportBundle(empty.machine.state, { tenant: "demo" });
      if (!copied.ok) throw new Error(copied.detail);
      // Versions have other numbers there; what each client gets is the same.
      const served = ({ contents, releases: rules, ...rest }: ExportedConfig) => {
        const hashes = new Map(contents.map((content) => [content.name as string | number, content.sha256]));
        return {
          ...rest,
          own: contents[0]?.sha256,
          rules: rules.map((rule) => ({ ...rule, version: hashes.get(rule.version) })),
        };
      };
      expect(copied.configs.map(served)).toEqual(exported.configs.map(served));
    }),
    { numRuns: 200 },
  );
});
