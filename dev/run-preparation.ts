import { fork } from "node:child_process";
import { join } from "node:path";
import type { ChildLedger } from "./child-ledger.ts";
import { PARENT_GUARD, RUN_BUNDLED, nodeEnv } from "./child-specs.ts";
import type { DataPaths } from "./data-directory.ts";
import type { PreparationAnswer } from "./database-preparer.ts";
import type { FirstAccess, PreparationInput } from "./prepare-database.ts";

const OUTPUT_CHARS_MAX = 4_000;

export interface Preparation {
  /** Prepares the database (prepare-database.ts), which must answer by now. Rejects with what the child said. */
  run(input: PreparationInput): Promise<FirstAccess>;
  stop(): void;
}

/** Starts the child that prepares the database, so that it has loaded by the time Postgres answers. */
export function startPreparation(paths: DataPaths, ledger: ChildLedger): Preparation {
  const child = fork(
    RUN_BUNDLED,
    [join(import.meta.dirname, "database-preparer.ts"), paths.bundle("database-preparer")],
    {
      execArgv: PARENT_GUARD,
      env: nodeEnv(paths),
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    },
  );
  const { pid } = child;
  if (pid !== undefined) ledger.add(pid);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARS_MAX);
    });
  }
  const outcome = new Promise<FirstAccess>((done, fail) => {
    child.once("message", (answer: PreparationAnswer) => {
      if (answer.ok) done(answer.access);
      else fail(new Error(`the database could not be prepared: ${answer.error}`));
    });
    child.once("error", fail);
    child.once("close", () => {
      if (pid !== undefined) ledger.remove(pid);
      fail(new Error(`the database could not be prepared:\n${output}`));
    });
  });
  // Whoever runs it hears of it; a start that ends earlier does not.
  outcome.catch(() => undefined);
  return {
    run: (input) => {
      child.send(input, (error) => {
        // A child that is gone has said so by its end.
        if (error) child.kill("SIGKILL");
      });
      return outcome;
    },
    stop: () => {
      child.kill("SIGKILL");
    },
  };
}
