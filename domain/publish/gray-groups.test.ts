import { expect, it } from "vitest";
import { grayGroups } from "./gray-groups.ts";
import type { PublishState } from "./publish-plan.ts";

const stage = (...regions: string[]) => ({
  name: "s",
  regions: regions.length === 0 ? null : regions,
  labels: null,
  bake_minutes: null,
  started_at_ms: null,
});
const SEED = [stage("ap-southeast-2"), stage("cn-chengdu", "ap-southeast-2", "cn-shanghai")];

it.each<[PublishState, number, ReturnType<typeof stage>[], string[]]>([
  ["baking", 1, SEED, ["ap-southeast-2"]],
  ["baking", 2, SEED, ["ap-southeast-2", "cn-chengdu", "cn-shanghai"]],
  ["paused", 2, SEED, ["ap-southeast-2", "cn-chengdu", "cn-shanghai"]],
  // Who got it in a stage keeps it in the next, also when that is of others.
  ["baking", 2, [stage("a"), stage("b")], ["a", "b"]],
  ["baking", 1, [stage()], ["*"]],
  ["paused", 2, [stage("a"), stage()], ["*"]],
  ["full", 2, SEED, ["*"]],
  ["full", 0, [], ["*"]],
  ["aborted", 2, SEED, []],
  ["deprecated", 2, SEED, []],
])("P3 a plan that is %s in stage %i", (state, at, stages, groups) => {
  expect(grayGroups({ state, stage: at, stages })).toEqual(groups);
});
