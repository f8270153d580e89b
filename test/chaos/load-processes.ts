import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { LoadAnswer, LoadCommand, LoadPlan } from "./chaos-plan.ts";

const CHILD = join(import.meta.dirname, "testing-chaos-child.ts");

/** The processes that the clients live in. */
export class LoadProcesses {
  readonly #children: ChildProcess[];
  /** One command at a time, since an answer does not say what it answers. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Starts the processes and all their clients; resolves when each client has been answered. */
  static async start(plans: readonly LoadPlan[]): Promise<LoadProcesses> {
    const load = new LoadProcesses(plans.length);
    try {
      await Promise.all(load.#children.map((child, i) => ask(child, { type: "start", plan: plans[i]! })));
    } catch (error) {
      load.stop();
      throw error;
    }
    return load;
  }

  private constructor(processes: number) {
    this.#children = Array.from({ length: processes }, () =>
      fork(CHILD, { stdio: ["ignore", "inherit", "inherit", "ipc"] }),
    );
  }

  /** Has every process carry out a command, and puts their answers together. Rejects when one of them has ended. */
  ask(command: LoadCommand): Promise<LoadAnswer> {
    const answer = this.#turn.then(async () =>
      merge(await Promise.all(this.#children.map((child) => ask(child, command)))),
    );
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  stop(): void {
    for (const child of this.#children) if (child.connected) child.disconnect();
  }
}

async function ask(child: ChildProcess, command: LoadCommand): Promise<LoadAnswer> {
  const controller = new AbortController();
  const { signal } = controller;
  child.send(command);
  try {
    const [answer] = (await Promise.race([
      once(child, "message", { signal }),
      once(child, "exit", { signal }).then(([code]) => {
        throw new Error(`a load process ended with code ${code}`);
      }),
    ])) as [LoadAnswer];
    return answer;
  } finally {
    controller.abort();
  }
}

/** Sums, and the largest of what is a longest time. */
function merge(answers: readonly LoadAnswer[]): LoadAnswer {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    for (const [what, n] of Object.entries(answer.counts)) {
      const held = counts[what] ?? 0;
      counts[what] = what.startsWith("longest") ? Math.max(held, n) : held + n;
    }
  }
  return {
    counts,
    violations: answers.flatMap(({ violations }) => violations),
    behind: answers.flatMap(({ behind }) => behind),
  };
}
