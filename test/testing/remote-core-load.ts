import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { CoreLoadOptions, LoadHistory } from "./core-load.ts";

export interface LoadRequest {
  id: number;
  ask:
    | { kind: "start"; options: CoreLoadOptions }
    | { kind: "acknowledged" }
    | { kind: "stop" }
    | { kind: "metrics"; url: string };
}
export type LoadAnswer = { id: number; ok: true; value: unknown } | { id: number; ok: false; error: string };

/** A `CoreLoad` whose clients run in another network namespace. */
export class RemoteCoreLoad {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;

  /** `prefix` goes before the command of the process. */
  constructor(prefix: readonly string[]) {
    const command = [...prefix, process.execPath, join(import.meta.dirname, "testing-core-load-child.ts")];
    this.#child = spawn(command[0] ?? process.execPath, command.slice(1), {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      // JSON has no Infinity.
      serialization: "advanced",
    });
    this.#child.on("message", (answer: LoadAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.ok) waiting?.resolve(answer.value);
      else waiting?.reject(new Error(answer.error));
    });
    const end = (reason: string): void => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the load's process ${reason}`));
      this.#waiting.clear();
    };
    this.#child.on("error", (error) => end(`cannot run: ${error.message}`));
    this.#child.on("exit", () => end("ended"));
  }

  async start(options: CoreLoadOptions): Promise<void> {
    await this.#ask({ kind: "start", options });
  }
  async acknowledged(): Promise<number> {
    return (await this.#ask({ kind: "acknowledged" })) as number;
  }
  async stop(): Promise<LoadHistory> {
    return (await this.#ask({ kind: "stop" })) as LoadHistory;
  }
  /** The metrics page of a node. */
  async metrics(url: string): Promise<string> {
    return (await this.#ask({ kind: "metrics", url })) as string;
  }

  /** Ends the process. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  #ask(ask: LoadRequest["ask"]): Promise<unknown> {
    this.#asked += 1;
    const answered = Promise.withResolvers<unknown>();
    this.#waiting.set(this.#asked, answered);
    const request: LoadRequest = { id: this.#asked, ask };
    this.#child.send(request, (error) => {
      if (error !== null) answered.reject(error);
    });
    return answered.promise;
  }
}
