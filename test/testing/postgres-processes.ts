import { readdirSync, readFileSync } from "node:fs";
import type { Stack } from "./stack.ts";

/** The stack's own Postgres with every process that serves a connection (Linux), so that it can be stopped as a whole. */
export function postgresPids(stack: Stack): number[] {
  const { postgres } = stack.dev.pids;
  if (postgres === undefined) throw new Error("the stack has no Postgres of its own");
  const children = readdirSync("/proc").filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const [, parent] = /\) \w (\d+)/.exec(readFileSync(`/proc/${entry}/stat`, "utf8")) ?? [];
      return Number(parent) === postgres;
    } catch {
      return false;
    }
  });
  return [postgres, ...children.map(Number)];
}
