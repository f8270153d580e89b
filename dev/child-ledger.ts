import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessIdentity, identify, isSameProcess, signal } from "./process-identity.ts";
import { systemErrorCode } from "./refusal.ts";
import { writeFileAtomically } from "./write-file-atomically.ts";

/** How long leftovers of a killed run may take to stop by themselves before they are killed. */
export const LEFTOVER_STOP_MS = 5_000;
/** How long the kernel may take to bury a killed process. */
const LEFTOVER_KILL_MS = 5_000;
const POLL_MS = 20;

/**
 * Which processes this stack has started, on disk, so that the next start can find what a killed run left behind.
 * Invariant: a process is in the ledger from its spawn until its end is known. The ledger is only read by the holder of
 * the data directory's lock, so whoever is in it has no living supervisor.
 */
export class ChildLedger {
  private readonly path: string;
  private entries = new Map<number, ProcessIdentity>();

  constructor(path: string) {
    this.path = path;
  }

  add(pid: number): void {
    const identity = identify(pid);
    if (identity === null) return;
    this.entries.set(pid, identity);
    this.save();
  }

  remove(pid: number): void {
    if (this.entries.delete(pid)) this.save();
  }

  private save(): void {
    writeFileAtomically(this.path, JSON.stringify([...this.entries.values()]));
  }
}

/** What an earlier run recorded. An unreadable record is an empty one: it can only be half of a first write. */
export function readLedger(path: string): ProcessIdentity[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  }
  try {
    const entries: unknown = JSON.parse(text);
    return Array.isArray(entries) ? entries.filter(isIdentity) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/**
 * Stops the processes of `leftovers` that are still the same ones: SIGTERM (SIGINT where `gentle` names it), then
 * SIGKILL. A pid that now belongs to somebody else is left alone. Answers those it stopped.
 */
export async function reapLeftovers(
  leftovers: readonly ProcessIdentity[],
  gentle: (p: ProcessIdentity) => NodeJS.Signals,
): Promise<ProcessIdentity[]> {
  const alive = leftovers.filter((p) => isSameProcess(p, identify(p.pid)));
  for (const p of alive) signal(p.pid, gentle(p));
  const stubborn = await waitUntilGone(alive, LEFTOVER_STOP_MS);
  for (const p of stubborn) signal(p.pid, "SIGKILL");
  const immortal = await waitUntilGone(stubborn, LEFTOVER_KILL_MS);
  if (immortal.length > 0) {
    throw new Error(`could not stop what an earlier run left: pids ${immortal.map((p) => p.pid).join(", ")}`);
  }
  return alive;
}

async function waitUntilGone(
  processes: readonly ProcessIdentity[],
  limitMs: number,
): Promise<ProcessIdentity[]> {
  const deadline = performance.now() + limitMs;
  let left = [...processes];
  for (;;) {
    // By its start alone: a process that is dying has lost its command line and still holds its ports.
    left = left.filter((p) => identify(p.pid)?.started === p.started);
    if (left.length === 0 || performance.now() > deadline) return left;
    await sleep(POLL_MS);
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  const p = value as Partial<ProcessIdentity> | null;
  return (
    typeof p === "object" &&
    p !== null &&
    Number.isInteger(p.pid) &&
    typeof p.started === "string" &&
    typeof p.command === "string"
  );
}
