import { type Applied, applyCommand } from "../command/apply-command.ts";
import { checkInvariants } from "../command/check-invariants.ts";
import type { Command, CommandPayloads } from "../command/command.ts";
import { MemoryState } from "../command/memory-state.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand, testConfigPayload, testRule } from "../command/testing-commands.ts";
import type { Config } from "../config/config.ts";
import { compileRules } from "../release-rule/compile-rules.ts";
import { prepareRules } from "../release-rule/prepare-rules.ts";
import { resolveRule } from "../release-rule/resolve.ts";
import type { PublishPlan, PublishStageInput } from "./publish-plan.ts";

export const TEST_CONFIG_ID = "cfg-c1-1";
export const TEST_PLAN_ID = "pub-c1-1-2";

export function testStage(name: string, changes: Partial<PublishStageInput> = {}): PublishStageInput {
  return { name, regions: null, labels: null, bake_minutes: 1, ...changes };
}

/** Begins a plan of a new version; a test says its stages. */
export function testStart(changes: Partial<CommandPayloads["start_publish"]> = {}): Command {
  return testCommand("start_publish", {
    config_id: TEST_CONFIG_ID,
    content: { attachment: 0, sha256: "b".repeat(64) },
    version_id: null,
    description: "new",
    strategy: "staged",
    form: 2,
    stages: [],
    ...changes,
  });
}

/** A state with one config whose version 1 is the default, to which commands are applied one after the other. */
export function testPublishMachine() {
  const state = new MemoryState();
  const at = { index: 0, nowMs: 1000, feedIndex: 0 };
  const apply = (command: Command): Applied => {
    at.index += 1;
    const applied = applyCommand({
      state,
      command,
      attachments: [new Uint8Array(3)],
      index: at.index,
      prevFeedIndex: at.feedIndex,
      timestampMs: at.nowMs,
      clusterId: "c1",
      epoch: 1,
    });
    state.apply(applied.changes);
    at.feedIndex = applied.feedEntry?.index ?? at.feedIndex;
    const wrong = checkInvariants(state);
    if (wrong.length > 0) throw new Error(wrong.join("; "));
    if (!applied.outcome.ok && applied.changes.length > 0) throw new Error("a refusal writes");
    return applied;
  };
  apply(testCommand("create_config", testConfigPayload("one", "a".repeat(64), { releases: [testRule(1)] })));
  const config = (): Config => state.json(stateKey.config(TEST_CONFIG_ID)) as Config;
  return {
    state,
    at,
    apply,
    config,
    /** The code of a refusal, or `accepted`. */
    codeOf: (command: Command): string => {
      const { outcome } = apply(command);
      return outcome.ok ? "accepted" : outcome.code;
    },
    plan: (id = TEST_PLAN_ID): PublishPlan => state.json(stateKey.publish(id)) as PublishPlan,
    /** The version a client gets. */
    served: (region: string, labels: Record<string, string> = {}): number | null => {
      const rules = compileRules({ rules: config().releases, region, configId: TEST_CONFIG_ID });
      const prepared = prepareRules(rules, () => null);
      return resolveRule(prepared, new Map(Object.entries(labels)))?.version_id ?? null;
    },
  };
}
