import { expect, test } from "vitest";
import { CrashLines } from "./crash-lines.ts";

test("U1 the same end over and over is said twice, another one and one after a recovery anew", () => {
  const lines = new CrashLines("core-2", "/d/core-2.log");
  const how = "ended with code 1: the disk is full";
  expect([100, 200, 400, 800].map((delayMs) => lines.next(how, delayMs))).toEqual([
    "core-2 ended with code 1: the disk is full; starting it again in 100 ms.",
    "core-2 ended so again; it is tried on, every 5 s at most (/d/core-2.log).",
    null,
    null,
  ]);
  expect(lines.next("killed by SIGKILL", 100)).toBe("core-2 killed by SIGKILL; starting it again in 100 ms.");
  lines.forget();
  expect(lines.next("killed by SIGKILL", 100)).toBe("core-2 killed by SIGKILL; starting it again in 100 ms.");
});
