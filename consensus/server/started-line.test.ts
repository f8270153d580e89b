import { expect, it } from "vitest";
import { startedLine } from "./started-line.ts";

it("R7 a node that was removed does not say that it is ready", () => {
  expect(startedLine({ isRemoved: () => true })).toEqual({
    level: "warn",
    msg: "started, but not ready: this node was removed from the cluster",
    ready: false,
  });
  expect(startedLine({ isRemoved: () => false })).toEqual({ level: "info", msg: "ready", ready: true });
});
