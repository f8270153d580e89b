import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { testRule } from "../command/testing-commands.ts";
import type { Retention } from "../config/config.ts";
import { isPastRetention } from "./due-versions.ts";
import { DAY_MS, TestingRetention } from "./testing-retention.ts";

const retention: fc.Arbitrary<Retention> = fc.record(
  { count: fc.integer({ min: 1, max: 8 }), days: fc.integer({ min: 1, max: 8 }) },
  { requiredKeys: [] },
);
/** Hours between one version and the next; the last are those until the look. */
const gaps = fc.array(fc.integer({ min: 0, max: 80 }), { minLength: 2, maxLength: 14 });
const picks = fc.uniqueArray(fc.integer({ min: 1, max: 14 }), { maxLength: 4 });
const HOUR_MS = DAY_MS / 24;

interface World {
  machine: TestingRetention;
  id: string;
  /** By number; the times at which versions were made. */
  madeAtMs: Map<number, number>;
  ruled: Set<number>;
}

function build(hours: readonly number[], ruled: readonly number[], keeps: Retention): World {
  const machine = new TestingRetention();
  const madeAtMs = new Map([[1, machine.nowMs]]);
  const id = machine.create("a", 1);
  for (const gap of hours.slice(0, -1)) {
    machine.nowMs += gap * HOUR_MS;
    madeAtMs.set(machine.addVersion(id, "0123456789abcdef"[madeAtMs.size] ?? "0"), machine.nowMs);
  }
  const named = ruled.filter((version) => madeAtMs.has(version));
  machine.done("put_releases", {
    config_id: id,
    releases: named.map((version) => testRule(version, { l: String(version) })),
  });
  machine.keep(id, keeps);
  machine.nowMs += (hours.at(-1) ?? 0) * HOUR_MS;
  return { machine, id, madeAtMs, ruled: new Set(named) };
}

/** What stays, said once more and more slowly: of those that are there. */
function mustStay({ machine, madeAtMs, ruled }: World, there: readonly number[], keeps: Retention): number[] {
  const newest = there.toReversed();
  return there.filter((version, i) => {
    const next = there[i + 1];
    if (next === undefined || ruled.has(version)) return true;
    const { count, days } = keeps;
    if (count === undefined && days === undefined) return true;
    if (count !== undefined && newest.slice(0, count).includes(version)) return true;
    return days !== undefined && machine.nowMs - (madeAtMs.get(next) ?? 0) < days * DAY_MS;
  });
}

describe("C10 which versions are due", () => {
  it("C10 those that no limit keeps and nothing names; then nothing more is, and the invariants hold", () => {
    fc.assert(
      fc.property(gaps, picks, retention, (hours, ruled, keeps) => {
        const world = build(hours, ruled, keeps);
        const { machine, id } = world;
        const there = machine.versions(id);
        const stays = mustStay(world, there, keeps);
        const due = machine.due(id);
        expect(due).toEqual(there.filter((version) => !stays.includes(version)));
        if (due.length > 0) expect(machine.prune(id, due)).toEqual({ config_id: id, removed: due, kept: [] });
        expect(machine.versions(id)).toEqual(stays);
        // What has gone moves the ones that stay nearer to each other, and none of them past a limit.
        expect(machine.due(id)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("C10 whatever is asked for, the command removes nothing else: also not when others went before", () => {
    fc.assert(
      fc.property(gaps, picks, picks, retention, retention, (hours, ruled, asked, before, keeps) => {
        const world = build(hours, ruled, before);
        const { machine, id } = world;
        const due = machine.due(id);
        if (due.length > 0) machine.prune(id, due);
        machine.keep(id, keeps);
        const there = machine.versions(id);
        const stays = mustStay(world, there, keeps);
        if (asked.length === 0) return;
        const { removed } = machine.prune(id, asked);
        expect(removed).toEqual(
          asked.filter((version) => there.includes(version) && !stays.includes(version)),
        );
        expect(machine.versions(id)).toEqual(there.filter((version) => !removed.includes(version)));
      }),
      { numRuns: 300 },
    );
  });

  it("C10 a version that is past a retention is past every one that keeps less, and stays so", () => {
    const age = fc.record({ newer: fc.nat(10), replacedAtMs: fc.option(fc.nat(10 * DAY_MS)) });
    const later = fc.nat(20 * DAY_MS);
    fc.assert(
      fc.property(retention, age, later, later, fc.nat(5), (keeps, of, nowMs, moreMs, more) => {
        if (!isPastRetention(keeps, of, nowMs)) return;
        expect(of.replacedAtMs).not.toBeNull();
        expect(isPastRetention(keeps, { ...of, newer: of.newer + more }, nowMs + moreMs)).toBe(true);
        const { count, days } = keeps;
        const less: Retention = {
          ...(count === undefined ? {} : { count: Math.max(1, count - more) }),
          ...(days === undefined ? {} : { days: Math.max(1, days - more) }),
        };
        expect(isPastRetention(less, of, nowMs)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
