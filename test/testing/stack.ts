import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { DevJson } from "../../dev/dev-json.ts";
import { BUILD_DIRECTORY, COMPILE_CACHE } from "./build-directory.ts";
import { freeBlock, freePorts } from "./free-ports.ts";

const PROJECT_DIR = join(import.meta.dirname, "../..");
const READY_MS = 60_000;
const EXIT_MS = 15_000;
const POLL_MS = 25;
const PEER_PORT_OFFSET = 100;

/** A data directory and ports, kept over several starts of one stack. */
export interface Place {
  dataDir: string;
  env: Record<string, string>;
  ports: { edge: number; admin: number; lambda: number; core: number };
  remove(): void;
}

/** A running stack, as `npm start` makes it: its own process, its own data directory, free ports. */
export interface Stack {
  /** dev.json as it is now (pids change when a child is started again). */
  readonly dev: DevJson;
  readonly place: Place;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** All that was printed so far. */
  output(): string;
  /** As Ctrl-C does; answers the exit code. Removes the data directory unless the place was given. */
  stop(): Promise<number | null>;
  /** SIGKILL of the supervisor alone; resolves when it is gone. */
  kill(): Promise<void>;
}

/** What a start that was expected to be refused said. */
export interface Refused {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A new data directory and four free ports (the core's node 1 listens on `core`). */
export async function makePlace(): Promise<Place> {
  const dataDir = mkdtempSync(join(tmpdir(), "conflux-stack-"));
  // Postgres runs as a user of its own when the tests run as root.
  chmodSync(dataDir, 0o755);
  // The core takes neighbours too when it has several nodes.
  const core = await freeBlock(corePorts);
  const [edge = 0, admin = 0, lambda = 0] = await freePorts(3);
  return {
    dataDir,
    ports: { edge, admin, lambda, core },
    env: {
      CONFLUX_DATA_DIR: dataDir,
      CONFLUX_EDGE_PORT: String(edge),
      CONFLUX_ADMIN_PORT: String(admin),
      CONFLUX_LAMBDA_PORT: String(lambda),
      CONFLUX_CORE_PORT: String(core - 1),
    },
    remove: () => rmSync(dataDir, { recursive: true, force: true }),
  };
}

/** Starts a stack and waits until it is ready; throws what it printed when it ends before. */
export async function startStack(
  options: { place?: Place; env?: Record<string, string> } = {},
): Promise<Stack> {
  const place = options.place ?? (await makePlace());
  const { child, text, exited } = launchStack({ ...place.env, ...options.env });
  const deadline = performance.now() + READY_MS;
  while (!text().includes("Conflux is ready")) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill("SIGINT");
      await exited;
      throw new Error(`the stack did not become ready:\n${text()}`);
    }
    await sleep(POLL_MS);
  }
  return {
    place,
    dataDir: place.dataDir,
    process: child,
    get dev() {
      return JSON.parse(readFileSync(join(place.dataDir, "dev.json"), "utf8")) as DevJson;
    },
    output: text,
    stop: async () => {
      child.kill("SIGINT");
      const code = await within(exited, EXIT_MS, "the stack did not stop");
      if (!options.place) place.remove();
      return code;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Runs `npm start`'s program where it must refuse, and answers what it said. */
export async function startRefused(env: Record<string, string>): Promise<Refused> {
  const { child, exited, stdout, stderr } = launchStack(env);
  try {
    const code = await within(exited, EXIT_MS, "a start that should have been refused goes on");
    return { code, stdout: stdout(), stderr: stderr() };
  } finally {
    child.kill("SIGINT");
  }
}

/** Polls until `check` answers something else than null, undefined or false; throws after `limitMs`. */
export async function until<T>(
  check: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  what: string,
  limitMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = await check();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await sleep(POLL_MS);
  }
}

/** Processes whose command line or environment names `dataDir` (Linux), this one aside. */
export function processesOf(dataDir: string): { pid: number; command: string }[] {
  return readProcesses()
    .filter((p) => p.pid !== process.pid && (p.command.includes(dataDir) || p.environment.includes(dataDir)))
    .map(({ pid, command }) => ({ pid, command }));
}

/** Starts the program (or `npm start`, which starts it through a shell) and waits for nothing. */
export function launchStack(env: Record<string, string>, { npm = false } = {}) {
  const [program, ...args] = npm ? ["npm", "start"] : [process.execPath, "dev/start.ts"];
  const child = spawn(program, args, {
    cwd: PROJECT_DIR,
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      CONFLUX_BUILD_DIR: BUILD_DIRECTORY,
      DATABASE_URL: "",
      DYNAMODB_ENDPOINT: "",
      KMS_ENDPOINT: "",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  // "close" comes after the last output.
  const exited = new Promise<number | null>((done) => child.once("close", (code) => done(code)));
  return { child, exited, stdout, stderr, text: () => stdout() + stderr() };
}

function collect(stream: Readable): () => string {
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

async function within<T>(promise: Promise<T>, limitMs: number, trouble: string): Promise<T> {
  const timer = new AbortController();
  const late = sleep(limitMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${trouble} after ${limitMs} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => undefined);
    timer.abort();
  }
}

/** Of up to five nodes from `first` on: HTTP, and peers a hundred above. */
const corePorts = (first: number): number[] =>
  [0, 1, 2, 3, 4].flatMap((i) => [first + i, first + PEER_PORT_OFFSET + i]);

function readProcesses(): { pid: number; command: string; environment: string }[] {
  const read = (path: string): string => {
    try {
      return readFileSync(path, "utf8").replaceAll("\0", " ");
    } catch {
      // Gone meanwhile, or another user's: not one of ours.
      return "";
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({
      pid: Number(name),
      command: read(`/proc/${name}/cmdline`).trim(),
      environment: read(`/proc/${name}/environ`),
    }));
}
