import { expect, test } from "vitest";
import { lastErrorOf } from "./last-error.ts";

const fatal = (error: string): string =>
  JSON.stringify({ time: "t", level: "error", msg: "the node cannot go on", error });

test.each([
  [[], null],
  [["listening", '{"level":"info","msg":"ready"}'], null],
  [
    [fatal("Error: database or disk is full\n    at x (y.ts:1)"), '{"level":"info","msg":"bye"}'],
    "Error: database or disk is full",
  ],
  [['{"level":"error","msg":"this node was removed"}'], "this node was removed"],
  [
    ["conflux core: port 7401 is taken: set X to another.", "    at y"],
    "port 7401 is taken: set X to another",
  ],
  [["node:internal/x:1", "Error: listen EADDRINUSE", "    at z"], "Error: listen EADDRINUSE"],
  [["2026-01-01 UTC [7] FATAL:  lock file exists"], "lock file exists"],
  [['{"level":"error","msg":'], null],
  [["conflux core: of the run before", "-- ended with code 1", "starting"], null],
])("%j tells %j", (lines, error) => {
  expect(lastErrorOf(lines)).toBe(error);
});

test("a long error is cut", () => {
  expect(lastErrorOf([`conflux core: ${"x".repeat(5_000)}`])).toHaveLength(300);
});
