import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { BoundedLog } from "./bounded-log.ts";
import type { ChildLedger } from "./child-ledger.ts";
import { lastErrorOf } from "./last-error.ts";
import { StartRefusal } from "./refusal.ts";

/** First pause before a crashed child is started again; doubles with every crash in a row. */
export const RESTART_DELAY_MIN_MS = 100;
export const RESTART_DELAY_MAX_MS = 5_000;
/** A child that lived this long has recovered: its next crash is a first one. */
export const RESTART_STABLE_MS = 10_000;
/** How long a child may take from its spawn until it says it is ready. */
export const CHILD_READY_MS = 60_000;
/** How long the last words of a child that has ended may take to arrive. */
const LAST_WORDS_MS = 500;
/** How long a child may take to stop before it is killed. */
export const CHILD_STOP_MS = 4_000;

export interface ChildSpec {
  /** Also the name of its log. */
  name: string;
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Speaks Node's IPC (and is told of the supervisor's end by it). */
  ipc: boolean;
  uid?: number;
  gid?: number;
  stopSignal: NodeJS.Signals;
  /** A line of its output: true when it says that the child is ready. */
  isReadyLine?: (line: string) => boolean;
  /** A message over IPC: true when it says that the child is ready. */
  isReadyMessage?: (message: unknown) => boolean;
  /**
   * Sent over IPC after each spawn, as soon as it is known: what must not stand in an environment or a command line. A
   * child whose message cannot be had is killed.
   */
  firstMessage?: () => object | Promise<object>;
  /** Called before each spawn, the first included. */
  beforeSpawn?: () => Promise<void>;
  /** Called with the pid after each spawn; answers what to call when that process has ended. */
  afterSpawn?: (pid: number) => () => void;
}

export interface ChildEvents {
  /** The child runs (again); `restarts` is 0 the first time. */
  onReady: (child: ManagedChild, restarts: number) => void;
  /** It ended without being asked to (`how`: with its last error when it told one), and will be started again in `delayMs`. */
  onCrash: (child: ManagedChild, how: string, delayMs: number) => void;
}

type State = "idle" | "running" | "stopping" | "stopped";

/**
 * One process of the stack: started, logged, restarted with back-off when it dies, stopped within CHILD_STOP_MS.
 * Invariant: at most one process of a spec lives at a time, and it is in the ledger while it lives. A child is a process
 * group of its own, so that Ctrl-C in the terminal reaches the supervisor alone and the order of stopping is ours.
 */
export class ManagedChild {
  readonly spec: ChildSpec;
  private readonly ledger: ChildLedger;
  private readonly log: BoundedLog;
  private readonly events: ChildEvents;
  private state: State = "idle";
  private process: ChildProcess | null = null;
  private exited: Promise<void> = Promise.resolve();
  private restartTimer: NodeJS.Timeout | null = null;
  private crashesInARow = 0;
  private restarts = 0;
  private keepsTrying = false;
  private isReady = false;
  private end: string | null = null;

  constructor(spec: ChildSpec, options: { ledger: ChildLedger; logPath: string; events: ChildEvents }) {
    this.spec = spec;
    this.ledger = options.ledger;
    this.log = new BoundedLog(options.logPath);
    this.events = options.events;
  }

  /** Null while it is down. */
  get pid(): number | null {
    return this.process?.pid ?? null;
  }

  /** How it ended last, while it is not ready (again); null before its first end. */
  get lastEnd(): string | null {
    return this.isReady ? null : this.end;
  }

  get logPath(): string {
    return this.log.path;
  }

  /**
   * Starts it and waits until it is ready. Rejects, naming its last words and its log, when it ends before; with `keepTrying`
   * it is started again all the same, as after a crash.
   */
  async start({ keepTrying = false } = {}): Promise<void> {
    this.state = "running";
    this.keepsTrying = keepTrying;
    await this.run();
  }

  /** Stops it for good. Never rejects for a child that is already gone. */
  async stop(): Promise<void> {
    this.state = "stopping";
    if (this.restartTimer) clearTimeout(this.restartTimer);
    const child = this.process;
    if (child) {
      child.kill(this.spec.stopSignal);
      const killer = setTimeout(() => child.kill("SIGKILL"), CHILD_STOP_MS);
      await this.exited;
      clearTimeout(killer);
    }
    this.state = "stopped";
  }

  /** Sends a message over IPC; a child that is down misses it. */
  send(message: object): void {
    if (this.process?.connected) this.process.send(message);
  }

  private async run(): Promise<void> {
    await this.spec.beforeSpawn?.();
    if (this.state !== "running") return;
    const { spec } = this;
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: spec.env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe", ...(spec.ipc ? (["ipc"] as const) : [])],
      ...(spec.uid === undefined ? {} : { uid: spec.uid }),
      ...(spec.gid === undefined ? {} : { gid: spec.gid }),
    });
    this.process = child;
    if (child.pid !== undefined) {
      this.ledger.add(child.pid);
      const onEnd = spec.afterSpawn?.(child.pid);
      if (onEnd) child.once("exit", onEnd);
    }
    if (spec.firstMessage) void this.sendFirst(child, spec.firstMessage());
    await this.untilReady(child);
  }

  private async sendFirst(child: ChildProcess, message: object | Promise<object>): Promise<void> {
    try {
      const known = await message;
      if (this.process === child) this.send(known);
    } catch (error) {
      this.log.append(`-- has nothing to start with: ${String(error)}`);
      child.kill("SIGKILL");
    }
  }

  /** Resolves at readiness, rejects at an end before it; afterwards an end is a crash (or the answer to a stop). */
  private untilReady(child: ChildProcess): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    this.exited = end.promise;
    const startedAtMs = performance.now();
    this.isReady = false;
    const ready = (): void => {
      if (this.isReady || this.process !== child) return;
      this.isReady = true;
      clearTimeout(impatience);
      resolve();
      this.events.onReady(this, this.restarts);
    };
    const impatience = setTimeout(() => {
      this.log.append(`not ready within ${CHILD_READY_MS} ms: killed`);
      child.kill("SIGKILL");
    }, CHILD_READY_MS);
    for (const stream of [child.stdout, child.stderr]) this.readLines(stream, ready);
    child.on("message", (message) => {
      if (this.spec.isReadyMessage?.(message)) ready();
    });
    const ended = (how: string): void => {
      if (this.process !== child) return;
      const wasReady = this.isReady;
      const livedMs = performance.now() - startedAtMs;
      clearTimeout(impatience);
      [this.process, this.isReady] = [null, false];
      this.end = this.withReason(how);
      if (child.pid !== undefined) this.ledger.remove(child.pid);
      this.log.append(`-- ${how}`);
      end.resolve();
      if (!wasReady) reject(new StartRefusal(this.obituary(how)));
      this.afterEnd(this.end, wasReady, livedMs);
    };
    child.once("error", (error) => ended(`could not be started: ${error.message}`));
    child.once("exit", (code, signal) => {
      const how = signal ? `killed by ${signal}` : `ended with code ${code}`;
      // What it wrote last may come after its end; a process that it left behind may hold its output open for ever.
      child.once("close", () => ended(how));
      setTimeout(() => ended(how), LAST_WORDS_MS).unref();
    });
    return promise;
  }

  /** A child that was killed has told of no reason: what stands in its log last is another matter. */
  private withReason(how: string): string {
    const reason = how.startsWith("ended") ? lastErrorOf(this.log.tail()) : null;
    return reason === null ? how : `${how}: ${reason}`;
  }

  private afterEnd(how: string, wasReady: boolean, livedMs: number): void {
    const isTriedAgain = wasReady || this.restarts > 0 || this.keepsTrying;
    if (this.state !== "running" || !isTriedAgain) return;
    this.crashesInARow = livedMs > RESTART_STABLE_MS ? 1 : this.crashesInARow + 1;
    const delayMs = Math.min(RESTART_DELAY_MIN_MS * 2 ** (this.crashesInARow - 1), RESTART_DELAY_MAX_MS);
    this.restarts += 1;
    this.events.onCrash(this, how, delayMs);
    this.restartTimer = setTimeout(() => {
      // A start that fails has been logged and has armed the next one.
      this.run().catch((error: unknown) => this.log.append(`-- ${String(error)}`));
    }, delayMs);
  }

  private readLines(stream: Readable | null, ready: () => void): void {
    if (!stream) return;
    createInterface({ input: stream }).on("line", (line) => {
      this.log.append(line);
      if (this.spec.isReadyLine?.(line)) ready();
    });
  }

  private obituary(how: string): string {
    const words = this.log.tail().slice(-8).join("\n  ");
    return `${this.spec.name} ${how} before it was ready; its last lines (${this.log.path}):\n  ${words}`;
  }
}
