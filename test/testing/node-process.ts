import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { COMPILE_CACHE } from "./build-directory.ts";

const READY_MS = 30_000;
const STOP_MS = 20_000;
/** The end of a process's output that is kept to explain a failure. */
const OUTPUT_CHARS_MAX = 200_000;

export interface NodeProcessOptions {
  /** Program and arguments. */
  command: readonly [string, ...string[]];
  env: Readonly<Record<string, string>>;
  /** Whether a line of its output says that it is up; absent: it is as soon as it runs. */
  isReady?: (line: string) => boolean;
}

/** One node of a cluster under test, as a process that is killed, paused and started again. */
export class NodeProcess {
  readonly #options: NodeProcessOptions;
  #child: ChildProcess | null = null;
  #output = "";

  constructor(options: NodeProcessOptions) {
    this.#options = options;
  }

  /** The last lines it wrote, over all its lives. */
  get output(): string {
    return this.#output;
  }
  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined || !this.running) throw new Error("the process does not run");
    return pid;
  }

  /** Starts it and waits until it is ready; throws what it wrote when it ends before. */
  async start(): Promise<void> {
    if (this.running) throw new Error("the process runs already");
    const [program, ...args] = this.#options.command;
    const child = spawn(program, args, {
      env: { PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: COMPILE_CACHE, ...this.#options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    const { isReady } = this.#options;
    const ready = Promise.withResolvers<void>();
    if (isReady === undefined) child.once("spawn", () => ready.resolve());
    for (const stream of [child.stdout, child.stderr]) {
      let rest = "";
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        this.#output = (this.#output + chunk).slice(-OUTPUT_CHARS_MAX);
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        if (isReady !== undefined && lines.some((line) => isReady(line))) ready.resolve();
      });
    }
    child.once("error", (error) => ready.reject(error));
    child.once("exit", () =>
      ready.reject(new Error(`${program} ended before it was ready:\n${this.#output}`)),
    );
    const late = setTimeout(
      () => ready.reject(new Error(`${program} was not ready after ${READY_MS} ms:\n${this.#output}`)),
      READY_MS,
    );
    await ready.promise.finally(() => clearTimeout(late));
  }

  /** SIGTERM, SIGKILL when that does not end it; answers its exit code, null after a signal. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === null || !this.running) return child?.exitCode ?? null;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    // One that is paused takes no other signal than this first.
    child.kill("SIGCONT");
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await exited;
    clearTimeout(late);
    return child.exitCode;
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || !this.running) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  pause(): void {
    process.kill(this.pid, "SIGSTOP");
  }
  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** Resolves with the exit code once it has ended by itself. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child === null) throw new Error("the process was never started");
    if (this.running) await once(child, "exit");
    return child.exitCode;
  }
}
