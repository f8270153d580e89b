import { expect, it } from "vitest";
import {
  bakedAtMs,
  configIdOfPublish,
  publishIdOf,
  type PublishPlan,
  type PublishState,
  publishDueAtMs,
  publishStatus,
} from "./publish-plan.ts";
import { mayMoveStage } from "./publish-transitions.ts";

type Place = Pick<PublishPlan, "state" | "stage"> & { stages: readonly number[] };
/** Every place of a plan of `stages` stages, by its name. */
function places(stages: number): Map<string, Place> {
  const all = Array.from({ length: stages }, (_, i) => i + 1);
  const at = (state: PublishState, stage: number): Place => ({ state, stage, stages: all });
  return new Map([
    ...all.map((stage) => [`stage${stage}`, at("baking", stage)] as const),
    ...all.map((stage) => [`paused${stage}`, at("paused", stage)] as const),
    ...all.slice(0, -1).map((stage) => [`full${stage}`, at("full", stage)] as const),
    ...all.map((stage) => [`aborted${stage}`, at("aborted", stage)] as const),
    ["full", at("full", stages)],
    ["deprecated", at("deprecated", stages)],
  ]);
}
/** All that may be, of three stages: no stage is skipped, and everyone comes after the last. */
const ALLOWED = new Set([
  "none>stage1",
  "stage1>stage2",
  "stage2>stage3",
  "stage3>full",
  "full>deprecated",
  ...[1, 2, 3].flatMap((n) => [
    `stage${n}>paused${n}`,
    `paused${n}>stage${n}`,
    `stage${n}>aborted${n}`,
    `paused${n}>aborted${n}`,
  ]),
]);
const THREE = places(3);
const PAIRS = ["none", ...THREE.keys()].flatMap((from) => [...THREE.keys()].map((to) => [from, to] as const));

it.each(PAIRS)("P2 from %s to %s", (from, to) => {
  const wanted = THREE.get(to);
  if (wanted === undefined) throw new Error(to);
  expect(mayMoveStage(THREE.get(from) ?? null, wanted)).toBe(ALLOWED.has(`${from}>${to}`));
});

it("P2 a plan without stages is full at once, and no other is", () => {
  const full = { state: "full" as const, stage: 0, stages: [] };
  expect(mayMoveStage(null, full)).toBe(true);
  expect(mayMoveStage(null, { ...full, state: "baking" })).toBe(false);
  expect(mayMoveStage(full, { ...full, state: "deprecated" })).toBe(true);
  expect(mayMoveStage(null, { state: "full", stage: 1, stages: [1] })).toBe(false);
});

const stage = { name: "s", regions: ["r"], labels: null, bake_minutes: 0.01, started_at_ms: 1000 };
const pause = { started_at_ms: 1100, ends_at_ms: 5000, on_timeout: "abort" as const };

it.each([
  ["baking", "stage1", 1600, undefined, 1600],
  ["paused", "paused", 5000, pause, null],
  ["full", "full", null, undefined, null],
  ["aborted", "aborted", null, undefined, null],
  ["deprecated", "deprecated", null, undefined, null],
] as const)(
  "P2 P4 a plan that is %s has status %s and is due at %s",
  (state, status, dueAtMs, paused, bakedMs) => {
    const plan = { state, stage: 1, stages: [stage], pause: paused };
    expect([publishStatus(plan), publishDueAtMs(plan), bakedAtMs(plan)]).toEqual([status, dueAtMs, bakedMs]);
  },
);

it("P5 the bake time ends as much later as the stage stood still", () => {
  const plan = { state: "baking" as const, stage: 1, stages: [{ ...stage, paused_ms: 250 }] };
  expect(publishDueAtMs(plan)).toBe(1850);
});

it("the id of a plan leads to its config, and no other text does", () => {
  expect(configIdOfPublish(publishIdOf("cfg-eu-west-1-5", 7))).toBe("cfg-eu-west-1-5");
  for (const text of ["", "cfg-c1-5", "pub-c1", "pub--", "pub-c1-x"])
    expect(configIdOfPublish(text)).toBeNull();
});

it("P4 a stage without a bake time is never due", () => {
  const plan = { state: "baking" as const, stage: 1, stages: [{ ...stage, bake_minutes: null }] };
  expect(publishDueAtMs(plan)).toBeNull();
});
