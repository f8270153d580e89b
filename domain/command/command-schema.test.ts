import { expect, it } from "vitest";
import { parseCommand } from "./command-schema.ts";
import { testCommand } from "./testing-commands.ts";

const putReleases = (labels: unknown) => ({
  ...testCommand("put_releases", { config_id: "cfg-c1-1", releases: [] }),
  payload: { config_id: "cfg-c1-1", releases: [{ labels, version_id: 1, priority: 0 }] },
});

it("C4 a label called __proto__ is not lost on the way into the log, where it would widen the rule", () => {
  const command = parseCommand(putReleases(JSON.parse('{"__proto__":"x"}')));
  expect(JSON.stringify(command)).toContain('"labels":{"__proto__":"x"}');
});

it("C4 labels that are no record of strings are refused", () => {
  for (const labels of [null, [], "x", { a: 1 }]) expect(parseCommand(putReleases(labels)).ok).toBe(false);
});
