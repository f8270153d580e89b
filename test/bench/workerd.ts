import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

/** The runtime that miniflare drives, itself: nothing stands between a socket and the Worker. */
const WORKERD = join(
  dirname(createRequire(createRequire(import.meta.url).resolve("miniflare")).resolve("workerd")),
  "../bin/workerd",
);
const CONTROL_FD = 3;

interface Listening {
  event: string;
  socket?: string;
  port?: number;
}

/** A running workerd. */
export interface Workerd {
  pid: number;
  /** Port of each socket by name. */
  ports: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/**
 * Starts workerd with a configuration (capnp text, its `embed`s among `files`) in `directory`, and resolves when it
 * listens at all of `sockets`. Ports are the kernel's choice (address `127.0.0.1:0`). Rejects with what it wrote when it ends early.
 */
export async function startWorkerd(input: {
  directory: string;
  config: string;
  files: Readonly<Record<string, string>>;
  sockets: readonly string[];
}): Promise<Workerd> {
  mkdirSync(input.directory, { recursive: true });
  for (const [name, text] of Object.entries(input.files)) writeFileSync(join(input.directory, name), text);
  const file = join(input.directory, "workerd.capnp");
  writeFileSync(file, input.config);
  const child = spawn(WORKERD, ["serve", file, `--control-fd=${CONTROL_FD}`], {
    stdio: ["ignore", "inherit", "pipe", "pipe"],
  });
  const kill = (): void => {
    child.kill("SIGKILL");
  };
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    // Never started: `listening` says why.
    child.once("error", () => resolve());
  });
  // It would outlive a process that ends without a stop.
  process.once("exit", kill);
  const stop = async (): Promise<void> => {
    process.off("exit", kill);
    kill();
    await ended;
  };
  try {
    return { pid: child.pid ?? 0, ports: await listening(child, input.sockets), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Resolves with the port of each socket once all are told by the control channel. */
function listening(child: ChildProcess, sockets: readonly string[]): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
    process.stderr.write(text);
  });
  const control = child.stdio[CONTROL_FD] as NodeJS.ReadableStream;
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`workerd ended with code ${code}: ${complaint}`)));
    createInterface(control).on("line", (line) => {
      const { event, socket, port } = JSON.parse(line) as Listening;
      if (event !== "listen" || socket === undefined || port === undefined) return;
      ports.set(socket, port);
      if (sockets.every((name) => ports.has(name))) resolve(ports);
    });
  });
}
