import { applyCommand } from "../command/apply-command.ts";
import type { Refusal } from "../command/apply-verb.ts";
import type { Command, CommandOf } from "../command/command.ts";
import type { CommandResults } from "../command/command-result.ts";
import { MemoryState } from "../command/memory-state.ts";
import { stateKey } from "../command/state-view.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { compileRules } from "../release-rule/compile-rules.ts";
import type { PatternCompiler } from "../release-rule/prepare-condition.ts";
import { prepareRules } from "../release-rule/prepare-rules.ts";
import { resolveRule } from "../release-rule/resolve.ts";
import { currentStage, type PublishPlan, publishStatus } from "./publish-plan.ts";

/** Which version a client with these labels gets in a region; null: none. */
export interface Served {
  region: string;
  labels: Record<string, string>;
  version_id: number | null;
}
/** Who gets what before a plan (`before`), in one of its stages, or when it is full. */
export interface PreviewStep {
  status: string;
  stage: string | null;
  served: Served[];
}

/**
 * What a plan would do, for each client in each region (dry run): its own commands, applied to a state that holds no more
 * than they read. Refuses what the plan would be refused for. `versions` are those that are there of the ones that rules,
 * the running plan and the command name. Throws a `RangeError` for an operator that this build does not know.
 */
export function previewPublish(input: {
  config: Config;
  running: PublishPlan | null;
  versions: readonly number[];
  command: CommandOf<"start_publish">;
  content: Uint8Array | null;
  regions: readonly string[];
  clients: readonly Record<string, string>[];
  compilePattern: PatternCompiler;
}): { ok: true; version_id: number; steps: PreviewStep[]; warnings: string[] } | Refusal {
  const { config, command, content } = input;
  const state = stateOf(input);
  let index = config.revision;
  const apply = (next: Command) => {
    index += 1;
    const applied = applyCommand({
      state,
      command: { ...next, idempotency: null },
      attachments: content === null ? [] : [content],
      index,
      prevFeedIndex: 0,
      timestampMs: index,
      clusterId: "preview",
      epoch: 1,
    });
    state.apply(applied.changes);
    return applied.outcome;
  };
  const rules = (): Config => state.json(stateKey.config(config.id)) as Config;
  const steps: PreviewStep[] = [{ status: "before", stage: null, served: serve(input, rules()) }];
  const begun = apply(command);
  if (!begun.ok) return begun;
  const { publish: first, warnings } = begun.result as CommandResults["start_publish"];
  for (let plan = first; ;) {
    const stage = currentStage(plan)?.name ?? null;
    steps.push({ status: publishStatus(plan), stage, served: serve(input, rules()) });
    if (stage === null) return { ok: true, version_id: plan.version_id, steps, warnings };
    const moved = apply({
      ...command,
      kind: "advance_publish",
      expected_revision: null,
      payload: {
        publish_id: plan.id,
        expected_stage: plan.stage,
        cause: "by_hand",
        gates: { skipped: "to see what comes behind them" },
      },
    });
    if (!moved.ok) return moved;
    plan = (moved.result as CommandResults["advance_publish"]).publish;
  }
}

function stateOf({ config, running, versions }: Parameters<typeof previewPublish>[0]): MemoryState {
  const state = new MemoryState();
  const put = (key: string, value: unknown) => ({ op: "put_json" as const, key, value });
  // Nothing is sealed for it, and nobody is told what it holds.
  state.apply([put(stateKey.config(config.id), { ...config, encrypted: false })]);
  for (const version_id of versions) {
    const version: ConfigVersion = {
      config_id: config.id,
      version_id,
      sha256: "",
      content_bytes: 0,
      format: config.format,
      schema: null,
      description: "",
      creator: "",
      created_at_ms: 0,
    };
    state.apply([put(stateKey.version(config.id, version_id), version)]);
  }
  if (running !== null) {
    state.apply([
      put(stateKey.publish(running.id), running),
      put(stateKey.runningPublish(config.id), running.id),
    ]);
  }
  return state;
}

function serve(
  { regions, clients, compilePattern }: Parameters<typeof previewPublish>[0],
  { id, releases }: Config,
): Served[] {
  return regions.flatMap((region) => {
    const prepared = prepareRules(compileRules({ rules: releases, region, configId: id }), compilePattern);
    return clients.map((labels) => {
      const have = new Map(Object.entries(labels).map(([name, value]) => [name.toLowerCase(), value]));
      return { region, labels, version_id: resolveRule(prepared, have)?.version_id ?? null };
    });
  });
}
