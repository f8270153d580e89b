import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { systemErrorCode } from "./refusal.ts";

/** A process for good: a pid alone is reused, a pid with its start and command line is not. */
export interface ProcessIdentity {
  pid: number;
  /** Opaque: boot and tick (Linux) or date of start. */
  started: string;
  command: string;
}

const HAS_PROC = existsSync("/proc/self/stat");
/** Field 22 of /proc/<pid>/stat, counted from the field after the command's closing parenthesis (field 3). */
const START_TIME_FIELD = 22 - 3;
const STATE_FIELD = 0;

/** Who has `pid` now; null when nobody (a zombie is nobody: it holds nothing and cannot be stopped). */
export function identify(pid: number): ProcessIdentity | null {
  return HAS_PROC ? identifyByProc(pid) : identifyByPs(pid);
}

export function isSameProcess(a: ProcessIdentity, b: ProcessIdentity | null): boolean {
  return b !== null && a.pid === b.pid && a.started === b.started && a.command === b.command;
}

/** The direct children of a process. */
export function childrenOf(pid: number): ProcessIdentity[] {
  return listChildPids(pid)
    .map(identify)
    .filter((p) => p !== null);
}

/** Sends a signal; false when the process is gone. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "ESRCH") return false;
    throw error;
  }
}

function identifyByProc(pid: number): ProcessIdentity | null {
  const stat = readProc(`/proc/${pid}/stat`);
  const command = readProc(`/proc/${pid}/cmdline`);
  if (stat === null || command === null) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[STATE_FIELD] === "Z") return null;
  const boot = readProc("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
  return {
    pid,
    started: `${boot}/${fields[START_TIME_FIELD]}`,
    command: command.replaceAll("\0", " ").trim(),
  };
}

function identifyByPs(pid: number): ProcessIdentity | null {
  const line = ps(["-p", String(pid), "-o", "lstart=", "-o", "command="]).trim();
  const match = /^(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/.exec(line);
  return match ? { pid, started: match[1] ?? "", command: match[2] ?? "" } : null;
}

function listChildPids(pid: number): number[] {
  if (!HAS_PROC) {
    return ps(["-A", "-o", "ppid=", "-o", "pid="])
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number))
      .filter(([parent]) => parent === pid)
      .map(([, child]) => child ?? 0);
  }
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      const stat = readProc(`/proc/${candidate}/stat`);
      return stat !== null && Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid;
    });
}

/** Null when the process went away meanwhile. */
function readProc(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES"].includes(systemErrorCode(error))) return null;
    throw error;
  }
}

function ps(args: string[]): string {
  try {
    return execFileSync("ps", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch (error) {
    // ps exits with 1 when no process matches.
    if (error instanceof Error && "status" in error && error.status === 1) return "";
    throw error;
  }
}
