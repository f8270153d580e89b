import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { openRaftLog } from "../raft-log.ts";
import { NotProposedError, OutcomeUnknownError } from "../replicated-log.ts";
import { StateStore } from "../state/state-store.ts";
import { createEntry } from "../state/testing-entries.ts";
import { createMemoryNetwork } from "../transport/memory-network.ts";
import type { LogLine } from "./core-context.ts";
import { INVARIANT_SAMPLE, InvariantSampler, StateInvariantError } from "./invariant-sampler.ts";

const directory = mkdtempSync(join(tmpdir(), "conflux-sampler-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("R11 the state's invariants in production", () => {
  it("a state that contradicts itself is logged, counted, and fails the node", async () => {
    const lines: LogLine[] = [];
    const counts: number[] = [];
    const sampler = new InvariantSampler({
      logger: (line) => lines.push(line),
      onViolations: (count) => counts.push(count),
      everyBatches: 2,
    });
    const path = join(directory, "state.db");
    const store: StateStore = new StateStore({
      path,
      clusterId: "c1",
      journal: "wal",
      onApplied: () => sampler.applied(store),
    });
    const fatal: Error[] = [];
    const log = await openRaftLog<ApplyOutcome>({
      nodeId: 1,
      directory,
      members: [1],
      stateMachine: store,
      transport: createMemoryNetwork().transport(1),
      onFatal: (error) => fatal.push(error),
    });
    await log.start();
    for (let i = 0; i < 4; i += 1) await log.propose(createEntry(0, `n${i}`).data);
    expect(fatal).toEqual([]);
    store.settle();
    // Something other than a command changes the file.
    const intruder = new DatabaseSync(path);
    intruder.exec("DELETE FROM kv WHERE key LIKE 'v/%'");
    intruder.close();
    const broken = async (): Promise<void> => {
      for (;;) await log.propose(createEntry(0, "more").data);
    };
    await expect(broken()).rejects.toBeInstanceOf(OutcomeUnknownError);
    expect(fatal[0]).toBeInstanceOf(StateInvariantError);
    expect(lines).toMatchObject([{ level: "error", msg: "the state contradicts itself" }]);
    expect(counts).toEqual([4]);
    await expect(log.propose(createEntry(0, "late").data)).rejects.toBeInstanceOf(NotProposedError);
    await log.stop();
  });

  it("looks at few configs, and seldom", () => {
    const scans: unknown[] = [];
    const sampler = new InvariantSampler({ logger: () => undefined, onViolations: () => undefined });
    const state = {
      json: () => undefined,
      hasKey: () => false,
      bytes: () => undefined,
      scan: (_prefix: string, options: { limit: number }) => {
        scans.push(options);
        return [];
      },
    };
    for (let i = 0; i < 2 * INVARIANT_SAMPLE.everyBatches; i += 1) sampler.applied(state);
    expect(scans).toEqual([{ limit: INVARIANT_SAMPLE.configs }, { limit: INVARIANT_SAMPLE.configs }]);
  });
});
