import { expect, test } from "vitest";
import { runChaos } from "../chaos/run-chaos.ts";

const RUN_MS_MAX = 300_000;

test(
  "E5 E9 E12 R13 R14 random faults: no client goes back in index, each is given what a rule gave it, all converge",
  async () => {
    const said: string[] = [];
    const report = await runChaos({
      seconds: 25,
      clients: 60,
      processes: 1,
      pollMs: 1_000,
      seed: 7,
      say: (line) => said.push(line),
    });
    expect(report.violations, [...said, JSON.stringify(report.counts)].join("\n")).toEqual([]);
    expect(report.convergedAfterMs).toEqual([expect.any(Number)]);
    expect(Object.keys(report.faults).length).toBeGreaterThan(2);
    expect(report.faults["restore"]).toBe(1);
    for (const what of [
      "status 200",
      "status 304",
      "told hello",
      "told change",
      "connections by stream",
      "watches ended with their token",
    ]) {
      expect(report.counts[what] ?? 0, what).toBeGreaterThan(0);
    }
  },
  RUN_MS_MAX,
);
