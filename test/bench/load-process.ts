import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import type { LoadMessage, LoadResult } from "./load-loops.ts";

/** Of `times` in /proc: hundredths of a second on every Linux that Node runs on. */
const TICK_US = 10_000;

export interface Measurement extends LoadResult {
  /** User and system time of all processes under load, an operation. */
  serverCpuUsPerOperation: number;
  loadCpuUsPerOperation: number;
}

/**
 * Runs one load generator (`program` takes `plan` by `serveOnePlan`) to its end, and counts what the processes `pids`
 * used while it measured. Rejects with `name` and what failed.
 */
export function runLoadProcess(input: {
  program: string;
  name: string;
  plan: object;
  pids: readonly number[];
}): Promise<Measurement> {
  const child = fork(input.program, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  let startUs = 0;
  let usedUs = 0;
  return new Promise((resolve, reject) => {
    child.on("message", (message: LoadMessage) => {
      if (message.type === "measuring") startUs = cpuUs(input.pids);
      else if (message.type === "measured") usedUs = cpuUs(input.pids) - startUs;
      else if (message.type === "failed") reject(new Error(`${input.name}: ${message.reason}`));
      else {
        const { result } = message;
        resolve({
          ...result,
          serverCpuUsPerOperation: usedUs / result.operations,
          loadCpuUsPerOperation: result.cpuUs / result.operations,
        });
      }
    });
    child.on("exit", (code) => reject(new Error(`the load generator ended with code ${code}`)));
    child.send(input.plan);
  });
}

/** User and system time that the processes have used, microseconds. */
export function cpuUs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }, 0);
}

/** Resident memory of each process, MiB. */
export function residentMib(pids: readonly number[]): number[] {
  return pids.map((pid) => {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kib) / 1024;
  });
}
