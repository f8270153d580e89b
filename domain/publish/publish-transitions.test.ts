import { expect, it } from "vitest";
import {
  configIdOfPublish,
  publishIdOf,
  PUBLISH_STATES,
  type PublishState,
  publishDueAtMs,
  publishStatus,
} from "./publish-plan.ts";
import { mayMovePublish } from "./publish-transitions.ts";

const ALLOWED = new Set(["none>baking", "none>full", "baking>full", "baking>aborted"]);
const PAIRS = (["none", ...PUBLISH_STATES] as const).flatMap((from) =>
  PUBLISH_STATES.map((to): [PublishState | "none", PublishState] => [from, to]),
);

it.each(PAIRS)("P2 from %s to %s", (from, to) => {
  expect(mayMovePublish(from, to)).toBe(ALLOWED.has(`${from}>${to}`));
});

const stage = { name: "s", regions: ["r"], labels: null, bake_minutes: 0.01, started_at_ms: 1000 };

it.each([
  ["baking", "stage1", 1600],
  ["full", "full", null],
  ["aborted", "aborted", null],
] as const)("P2 P4 a plan that is %s has status %s and is due at %s", (state, status, dueAtMs) => {
  const plan = { state, stage: 1, stages: [stage] };
  expect([publishStatus(plan), publishDueAtMs(plan)]).toEqual([status, dueAtMs]);
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
