import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryLog } from "./memory-log.ts";
import { describeReplicatedLog, type LogUnderTest } from "./replicated-log-conformance.testing.ts";
import { openCommandMachine } from "./sqlite-machine.testing.ts";

describeReplicatedLog("in memory", () => {
  const directory = mkdtempSync(join(tmpdir(), "conflux-memory-log-"));
  const open = (): Promise<LogUnderTest> => {
    const machine = openCommandMachine(join(directory, "state.db"));
    const fatal: Error[] = [];
    const onFatal = (error: Error): void => {
      fatal.push(error);
    };
    return Promise.resolve({
      log: createMemoryLog({ nodeId: 1, stateMachine: machine, onFatal }),
      machine,
      fatal,
    });
  };
  return {
    fresh: open,
    reopen: open,
    cleanUp: () => rmSync(directory, { recursive: true, force: true }),
  };
});
