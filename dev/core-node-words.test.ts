import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CoreNodeWords, WAITING_SAID_AFTER_MS } from "./core-node-words.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const WAITING = { level: "info", msg: "waiting to be let into the cluster" };
const READY = { level: "info", msg: "ready", ready: true };
const REMOVED = {
  level: "error",
  msg: "this node was removed from the cluster and serves nothing any more: stop it and remove its data",
};

/** What is said of these lines. */
function said(...lines: (object | string)[]): string[] {
  const words: string[] = [];
  const node = new CoreNodeWords({ corePort: 7400, dataDir: "/d" }, 4, (text) => words.push(text));
  for (const line of lines) {
    node.take(typeof line === "string" ? line : JSON.stringify(line));
    vi.advanceTimersByTime(10);
  }
  vi.advanceTimersByTime(WAITING_SAID_AFTER_MS);
  return words;
}

test("R5 says once that the node waits, with the command, and that it runs", () => {
  expect(said("no line of ours", WAITING, WAITING, { level: "info", msg: "other" })).toEqual([
    "Node 4 waits to be let in; in another terminal: npx conflux cluster add-node 4 127.0.0.1:7504",
  ]);
  expect(said(WAITING, READY)).toEqual(["Node 4 runs at http://localhost:7404; Ctrl-C stops it."]);
});

test("R5 says that the node was removed, and neither that it waits nor that it runs from then on", () => {
  const removed = expect.stringMatching(
    /^Node 4 was removed .* remove \/d\/core-4\. Its id is used up/,
  ) as unknown;
  expect(said(READY, REMOVED, REMOVED, READY)).toEqual([expect.stringContaining("runs at"), removed]);
  expect(said(WAITING, REMOVED, WAITING)).toEqual([removed]);
});

test("U1 passes on what is wrong with the node, in one line", () => {
  expect(
    said({ level: "error", msg: "the node cannot go on", error: "Error: disk is full\n  at x" }),
  ).toEqual(["Node 4: the node cannot go on: Error: disk is full"]);
});
