import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Prng } from "../../consensus/sim/prng.ts";
import { identify, signal } from "../../dev/process-identity.ts";
import { type Stack, until } from "../testing/stack.ts";
import { admin } from "../testing/stack-client.ts";

/** Faults that may be there at the same time. */
const FAULTS_AT_ONCE = 2;
const CALM_MS_MIN = 500;
const CALM_MS_MAX = 3_000;
const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 3_000;
const WORKERD_PAUSE_MS = 1_000;
const CANCEL_MS = 2_000;
/** A part that was killed and is not back by then will not come. */
const RESTART_MS_MAX = 60_000;
const STATUS_MS_MAX = 2_000;

type Part = "leader" | "follower" | "workerd" | "postgres" | "lambda";

/** What can happen, and how often beside the others. */
const FAULTS: { name: string; weight: number; part: Part | "clients" }[] = [
  { name: "kill leader", weight: 3, part: "leader" },
  { name: "pause leader", weight: 3, part: "leader" },
  { name: "kill follower", weight: 3, part: "follower" },
  { name: "pause follower", weight: 2, part: "follower" },
  { name: "kill workerd", weight: 2, part: "workerd" },
  { name: "pause workerd", weight: 2, part: "workerd" },
  { name: "kill postgres", weight: 1, part: "postgres" },
  { name: "pause postgres", weight: 2, part: "postgres" },
  { name: "kill lambda", weight: 1, part: "lambda" },
  { name: "pause lambda", weight: 1, part: "lambda" },
  { name: "cut sockets", weight: 2, part: "clients" },
  { name: "cancel requests", weight: 2, part: "clients" },
];

export interface FaultParts {
  stack: Stack;
  chance: Prng;
  cutSockets: () => Promise<unknown>;
  cancelRequests: (forMs: number) => Promise<unknown>;
  say: (line: string) => void;
}

/** Random faults, one or two at a time; each is over within seconds. Signals go to the stack's own processes alone. */
export class StackFaults {
  readonly counts: Record<string, number> = {};
  readonly #parts: FaultParts;
  /** What has a fault now: a pid's slot is not hit twice. */
  readonly #hit = new Set<string>();

  constructor(parts: FaultParts) {
    this.#parts = parts;
  }

  get chance(): Prng {
    return this.#parts.chance;
  }

  /** Goes on until `isOver`, and resolves when everything is healed; rejects when something does not come back. */
  async run(isOver: () => boolean): Promise<void> {
    const { chance } = this.#parts;
    const running = new Set<Promise<void>>();
    const failures: unknown[] = [];
    while (!isOver() && failures.length === 0) {
      await sleep(CALM_MS_MIN + chance.next() * (CALM_MS_MAX - CALM_MS_MIN));
      if (running.size >= FAULTS_AT_ONCE) continue;
      const fault = this.#inject(this.#draw())
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(fault));
      running.add(fault);
    }
    await Promise.all(running);
    if (failures.length > 0) throw failures[0];
  }

  #draw(): (typeof FAULTS)[number] {
    const all = FAULTS.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
    return this.#parts.chance.pick(all)!;
  }

  /** This fault and no other; resolves when it is healed. */
  async one(name: string): Promise<void> {
    await this.#inject(FAULTS.find((fault) => fault.name === name)!);
  }

  async #inject({ name, part }: (typeof FAULTS)[number]): Promise<void> {
    const { chance, cutSockets, cancelRequests } = this.#parts;
    if (part === "clients") {
      this.#count(name);
      await (name === "cut sockets" ? cutSockets() : cancelRequests(CANCEL_MS));
      return;
    }
    const slot = await this.#slotOf(part);
    if (slot === null || this.#hit.has(slot)) return;
    this.#hit.add(slot);
    try {
      const pid = this.#pidOf(slot);
      // One that is being started again has no process to hit.
      if (!this.#isOurs(pid)) return;
      this.#count(name);
      const pauseMs = PAUSE_MS_MIN + chance.next() * (PAUSE_MS_MAX - PAUSE_MS_MIN);
      if (name.startsWith("kill")) await this.#kill(slot, pid);
      else await pause(pid, part === "workerd" ? WORKERD_PAUSE_MS : pauseMs);
    } finally {
      this.#hit.delete(slot);
    }
  }

  async #kill(slot: string, pid: number): Promise<void> {
    signal(pid, "SIGKILL");
    const isBack = (): boolean => {
      const now = this.#pidOf(slot);
      return now > 1 && now !== pid && identify(now) !== null;
    };
    await until(isBack, `${slot} is started again`, RESTART_MS_MAX);
  }

  /** Which process plays the part now; null when that cannot be told. */
  async #slotOf(part: Part): Promise<string | null> {
    if (part !== "leader" && part !== "follower") return part;
    const { stack, chance } = this.#parts;
    const late = sleep(STATUS_MS_MAX, null);
    const asked = admin(stack, "GET", "/mgt/cluster/status").catch(() => null);
    const answer = await Promise.race([asked, late]);
    const nodes = answer?.json["nodes"] as { role: string }[] | undefined;
    const leader = nodes?.findIndex(({ role }) => role === "leader") ?? -1;
    if (leader === -1) return null;
    const followers = stack.dev.pids.core.map((_, i) => i).filter((i) => i !== leader);
    return `core ${part === "leader" ? leader : chance.pick(followers)}`;
  }

  #pidOf(slot: string): number {
    const { pids } = this.#parts.stack.dev;
    if (slot.startsWith("core ")) return pids.core[Number(slot.slice("core ".length))] ?? 0;
    return pids[slot as "workerd" | "postgres" | "lambda"] ?? 0;
  }

  /** Whether the stack started this process: dev.json names the last one until there is a new one, and pids are reused. */
  #isOurs(pid: number): boolean {
    if (pid <= 1 || identify(pid) === null) return false;
    const { supervisor, workers_host } = this.#parts.stack.dev.pids;
    const parent = parentOf(pid);
    return parent === supervisor || parent === workers_host;
  }

  /** Counts something that happened to the stack by other hands. */
  note(name: string): void {
    this.#count(name);
  }

  #count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    this.#parts.say(name);
  }
}

async function pause(pid: number, forMs: number): Promise<void> {
  const before = identify(pid);
  signal(pid, "SIGSTOP");
  try {
    await sleep(forMs);
  } finally {
    // Somebody else may have killed it meanwhile.
    if (before !== null && identify(pid)?.started === before.started) signal(pid, "SIGCONT");
  }
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    // Gone.
    return null;
  }
}
