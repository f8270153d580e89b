import { describe, expect, it } from "vitest";
import { PUBLISHES_KEPT_MAX } from "../limits.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import { isDraft } from "./find-draft.ts";
import { effectiveGrayGroups, grayStatus } from "./gray-status.ts";
import { grayVersionId, readGrayVersionId } from "./gray-version-id.ts";

const REGIONS = ["us-east-1", "ap-southeast-2", "cn-chengdu", "cn-shanghai"];
const byDefault = (version_id: number): ReleaseRule => ({ labels: {}, version_id, priority: 0 });
const byPlan = (
  version_id: number,
  regions: string[] | null,
  more: Partial<ReleaseRule> = {},
): ReleaseRule => ({
  labels: {},
  version_id,
  priority: 1_000_001,
  ...(regions === null ? {} : { edge: { regions } }),
  publish_id: "pub-c1-1-9",
  ...more,
});
type Plan = Parameters<typeof grayStatus>[2][number];
const plan = (version_id: number, state: Plan["state"], stage = 1, created_at_ms = 50): Plan => ({
  version_id,
  state,
  stage,
  created_at_ms,
});
const config = (latest_version_id: number, ...releases: ReleaseRule[]) => ({
  id: "cfg-c1-1",
  latest_version_id,
  releases,
});
const version = (version_id: number, deprecated_at_ms?: number) => ({
  version_id,
  created_at_ms: version_id * 10,
  ...(deprecated_at_ms === undefined ? {} : { deprecated_at_ms }),
});

describe("P2 status and effective gray groups of a version", () => {
  const stage1 = byPlan(2, ["ap-southeast-2"]);
  const stage2 = byPlan(2, ["cn-chengdu", "ap-southeast-2", "cn-shanghai"]);
  it.each([
    ["a draft that nothing names", config(1), version(1), [], "draft", []],
    [
      "the first version in stage 1",
      config(1, byPlan(1, ["cn-chengdu"])),
      version(1),
      [plan(1, "baking")],
      "stage1",
      ["cn-chengdu"],
    ],
    [
      "the new one in stage 1",
      config(2, stage1, byDefault(1)),
      version(2),
      [plan(2, "baking")],
      "stage1",
      ["ap-southeast-2"],
    ],
    [
      "the old one meanwhile",
      config(2, stage1, byDefault(1)),
      version(1),
      [plan(2, "baking"), plan(1, "full")],
      "full",
      ["us-east-1", "cn-chengdu", "cn-shanghai"],
    ],
    [
      "the new one in stage 2",
      config(2, stage1, stage2, byDefault(1)),
      version(2),
      [plan(2, "baking", 2)],
      "stage2",
      ["ap-southeast-2", "cn-chengdu", "cn-shanghai"],
    ],
    [
      "the old one in stage 2",
      config(2, stage1, stage2, byDefault(1)),
      version(1),
      [plan(2, "baking", 2)],
      "full",
      ["us-east-1"],
    ],
    [
      "paused",
      config(2, stage1, byDefault(1)),
      version(2),
      [plan(2, "paused")],
      "paused",
      ["ap-southeast-2"],
    ],
    [
      "full",
      config(2, byDefault(2)),
      version(2),
      [plan(2, "full", 2), plan(1, "deprecated")],
      "full",
      REGIONS,
    ],
    [
      "the one that it replaced",
      config(2, byDefault(2)),
      version(1, 99),
      [plan(2, "full"), plan(1, "deprecated")],
      "deprecated",
      [],
    ],
    ["aborted", config(2, byDefault(1)), version(2), [plan(2, "aborted"), plan(1, "full")], "aborted", []],
    [
      "aborted once and full since",
      config(2, byDefault(2)),
      version(2),
      [plan(2, "full"), plan(2, "aborted")],
      "full",
      REGIONS,
    ],
    [
      "full once, and rolled back",
      config(2, byDefault(1)),
      version(2),
      [plan(2, "full"), plan(1, "deprecated")],
      "deprecated",
      [],
    ],
    [
      "deprecated, and an attempt to bring it back aborted",
      config(2, byDefault(2)),
      version(1, 99),
      [plan(1, "aborted")],
      "deprecated",
      [],
    ],
    [
      "the next draft beside a full one",
      config(3, byDefault(2)),
      version(3),
      [plan(2, "full", 2, 25)],
      "draft",
      [],
    ],
    [
      "the next draft beside a stage",
      config(3, stage1, byDefault(1)),
      version(3),
      [plan(2, "baking", 1, 25)],
      "draft",
      [],
    ],
    [
      "one whose every region has the new one",
      config(2, byPlan(2, REGIONS), byDefault(1)),
      version(1),
      [plan(2, "baking")],
      "full",
      [],
    ],
    [
      "a stage by labels, which leaves both in every region",
      config(2, byPlan(2, null, { labels: { a: "b" } }), byDefault(1)),
      version(1),
      [plan(2, "baking")],
      "full",
      REGIONS,
    ],
    [
      "a region that nobody knows",
      config(1, byPlan(1, ["mars"])),
      version(1),
      [plan(1, "baking")],
      "stage1",
      ["mars"],
    ],
  ] as const)("%s", (_name, of, at, plans, status, groups) => {
    expect(grayStatus(of, at, plans)).toBe(status);
    expect(effectiveGrayGroups(of, at.version_id, REGIONS)).toEqual(groups);
  });
});

describe("P1 a draft", () => {
  const many = (count: number, created_at_ms: number): Plan[] =>
    Array.from({ length: count }, () => plan(1, "aborted", 1, created_at_ms));
  it.each([
    ["is the latest version", isDraft(config(2), version(2), []), true],
    ["is no older one", isDraft(config(2), version(1), []), false],
    ["is named by no rule", isDraft(config(2, byDefault(2)), version(2), []), false],
    ["is not deprecated", isDraft(config(2), version(2, 5), []), false],
    [
      "was never in a plan",
      isDraft(config(2), version(2), [plan(1, "full", 1, 30), plan(2, "aborted", 1, 20)]),
      false,
    ],
    ["is known by plans of before it", isDraft(config(2), version(2), many(PUBLISHES_KEPT_MAX, 19)), true],
    [
      "is none when plans may be forgotten",
      isDraft(config(2), version(2), many(PUBLISHES_KEPT_MAX, 20)),
      false,
    ],
    [
      "is one while all plans are kept",
      isDraft(config(2), version(2), many(PUBLISHES_KEPT_MAX - 1, 20)),
      true,
    ],
  ])("%s", (_name, is, expected) => expect(is).toBe(expected));
});

it.each([
  ["cfg-c1-1-v12", { configId: "cfg-c1-1", version: 12 }],
  ["cfg-v-v2-1-v3", { configId: "cfg-v-v2-1", version: 3 }],
  ["cfg-c1-1-v0", null],
  ["cfg-c1-1-v01", null],
  ["cfg-c1-1-v1x", null],
  ["cfg--v", null],
  ["12", null],
  ["", null],
])("P1 the version_id %j names %j", (text, named) => {
  expect(readGrayVersionId(text)).toEqual(named);
  if (named !== null) expect(grayVersionId(named.configId, named.version)).toBe(text);
});
