import { describe, expect, test } from "vitest";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import type { FeedEntry, PublishChanged } from "../../domain/command/feed-entry.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import type { Config } from "../../domain/config/config.ts";
import { knownOutcomes } from "../../domain/publish/publish-gate.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import { compileRules } from "../../domain/release-rule/compile-rules.ts";
import { prepareRules } from "../../domain/release-rule/prepare-rules.ts";
import { resolveRule } from "../../domain/release-rule/resolve.ts";
import { PublishSimulation } from "../testing/publish-simulation.ts";

const SEED = Number(process.env["PUBLISH_SIMULATION_SEED"] ?? 20_260_101);
const PLANS = 1000;
const REGIONS = 20;
const STEPS = 45;
const STEPS_TO_CALM_MAX = 100;
const MINUTE_MS = 60_000;

interface Move {
  event: PublishChanged;
  atMs: number;
}

/** The moves of each plan, in the order of the log. */
async function movesOf({ core }: PublishSimulation): Promise<Map<string, Move[]>> {
  const entries: FeedEntry[] = [];
  for (;;) {
    const after = entries.at(-1)?.index ?? 0;
    const page = await core.feed({ after, limit: 1000, wait_ms: 0, view: "full" });
    if (page.entries.length === 0) break;
    entries.push(...page.entries);
  }
  const moves = entries.flatMap(({ events, timestamp_ms }) =>
    events
      .filter((event): event is PublishChanged => event.type === "publish_changed")
      .map((event) => ({ event, atMs: timestamp_ms })),
  );
  return Map.groupBy(moves, ({ event }) => event.publish_id);
}

/**
 * What is wrong with a history, as a word over stage1 to stageN, paused, full and aborted. Said here anew, by the document, and
 * not by the table that the code goes by.
 */
function faultsOfWord(words: readonly string[], stages: number): string[] {
  const wrong: string[] = [];
  let stage = 0;
  let before = "";
  for (const word of words) {
    const isNext = word === `stage${stage + 1}` && (stage === 0 || before === `stage${stage}`);
    const isBack = before === "paused" && word === `stage${stage}`;
    const isStop = (word === "paused" && before === `stage${stage}`) || word === "aborted";
    const isEnd = word === "full" && before === `stage${stages}`;
    const mayMove = before !== "aborted" && before !== "full" && (stage > 0 || word === "stage1");
    if (!mayMove || !(isNext || isBack || isStop || isEnd)) wrong.push(`${before} to ${word}`);
    if (isNext) stage += 1;
    before = word;
  }
  return wrong;
}

/** Each move by itself bakes as long as it says, pauses left out; each stop is what a gate said. */
function faultsOfMoves(plan: PublishPlan, moves: readonly Move[], said: ReadonlySet<string>): string[] {
  const wrong: string[] = [];
  let bakedMs = 0;
  let sinceMs = 0;
  for (const { event, atMs } of moves) {
    const from = /^stage(\d+)$/.exec(event.from ?? "")?.[1];
    if (from !== undefined) bakedMs += atMs - sinceMs;
    const stage = plan.stages[Number(from) - 1];
    if (event.cause === "bake_over" && bakedMs < (stage?.bake_minutes ?? Infinity) * MINUTE_MS)
      wrong.push(`${event.from} baked for ${bakedMs} ms`);
    if (event.cause === "gate_failed") {
      const gate = event.reason?.split(" ", 1)[0];
      if (!said.has(`${plan.id}/${from}/${gate}/fails`)) wrong.push(`nothing said ${event.reason}`);
    }
    sinceMs = atMs;
    if (event.to !== "paused" && event.from !== "paused") bakedMs = 0;
  }
  return wrong;
}

/** Stages that were left with gates that did not hold, and that nobody had skipped. */
function faultsOfGates(plan: PublishPlan): string[] {
  const left = plan.state === "full" ? plan.stages : plan.stages.slice(0, plan.stage - 1);
  return left.flatMap((stage, i) =>
    knownOutcomes(stage).every(({ verdict }) => verdict === "holds")
      ? []
      : [`stage${i + 1} was left too early`],
  );
}

function servedBy(simulation: PublishSimulation, plan: PublishPlan): (number | null)[] {
  const { releases, id } = simulation.core.state.json(stateKey.config(plan.config_id)) as Config;
  return simulation.regions.map((region) => {
    const rules = prepareRules(compileRules({ rules: releases, region, configId: id }), () => null);
    return resolveRule(rules, new Map())?.version_id ?? null;
  });
}

describe("P2 P3 P4 P5 L1 a thousand plans over twenty regions", () => {
  test("invocations at random, doubled, hours late and dead at any step: every history is one that may be, and no region is left behind", async () => {
    const simulation = new PublishSimulation({ seed: SEED, plans: PLANS, regions: REGIONS });
    for (let i = 0; i < PLANS; i += 1) await simulation.begin();
    for (let i = 0; i < STEPS; i += 1) {
      await simulation.step();
      for (const plan of simulation.running.slice(0, 20)) {
        const reached = new Set(plan.stages.slice(0, plan.stage).flatMap(({ regions }) => regions ?? []));
        const wanted = simulation.regions.map((region) => (reached.has(region) ? 2 : 1));
        expect([plan.id, servedBy(simulation, plan)]).toEqual([plan.id, wanted]);
      }
    }
    const halfway = { running: simulation.running.length, ...simulation.counts };
    expect(checkInvariants(simulation.core.state)).toEqual([]);
    await simulation.calmDown(STEPS_TO_CALM_MAX);
    expect(checkInvariants(simulation.core.state)).toEqual([]);

    const moves = await movesOf(simulation);
    const ends = new Map<string, number>();
    const faults: string[] = [];
    for (const id of simulation.planIds) {
      const plan = simulation.core.state.json(stateKey.publish(id)) as PublishPlan;
      const made = moves.get(id) ?? [];
      const words = made.map(({ event }) => event.to);
      const wrong = [
        ...faultsOfWord(words, plan.stages.length),
        ...faultsOfMoves(plan, made, simulation.said),
        ...faultsOfGates(plan),
      ];
      if (made.some(({ event }, i) => event.from !== (words[i - 1] ?? null))) wrong.push("a gap");
      const everywhere = plan.state === "full" ? 2 : 1;
      if (servedBy(simulation, plan).some((version) => version !== everywhere))
        wrong.push("a region is left behind");
      if (wrong.length > 0) faults.push(`seed ${SEED}, ${id}: ${wrong.join(", ")} in ${words.join(" ")}`);
      ends.set(plan.state, (ends.get(plan.state) ?? 0) + 1);
    }
    expect(faults).toEqual([]);
    expect([...ends.keys()].toSorted()).toEqual(["aborted", "full"]);
    // The world was as wild as it is meant to be: else all of this says nothing.
    const causes = Map.groupBy([...moves.values()].flat(), ({ event }) => event.cause);
    for (const cause of ["by_hand", "bake_over", "gate_failed", "pause_over"]) {
      expect([cause, (causes.get(cause as PublishChanged["cause"]) ?? []).length]).toEqual([
        cause,
        expect.toSatisfy((count: number) => count > 20),
      ]);
    }
    expect(halfway.crashes).toBeGreaterThan(10);
    expect(ends.get("full") ?? 0).toBeGreaterThan(PLANS / 4);
  }, 300_000);

  test.each([
    ["stage1 stage3", "stage1 to stage3"],
    ["stage1 full", "stage1 to full"],
    ["stage2", " to stage2"],
    ["stage1 paused stage2", "paused to stage2"],
    ["stage1 aborted stage2", "aborted to stage2"],
    ["stage1 stage1", "stage1 to stage1"],
    ["stage1 stage2 stage3 full aborted", "full to aborted"],
    ["stage1 paused full", "paused to full"],
  ])("the judge itself objects to %s", (word, fault) => {
    expect(faultsOfWord(word.split(" "), 3)).toContain(fault);
  });
});
