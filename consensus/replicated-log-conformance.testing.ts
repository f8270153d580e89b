import { afterEach, describe, expect, it } from "vitest";
import { NotProposedError, OutcomeUnknownError, type ReplicatedLog } from "./replicated-log.ts";
import { commandOf, type CommandMachine } from "./sqlite-machine.testing.ts";

export interface LogUnderTest {
  log: ReplicatedLog<string>;
  machine: CommandMachine;
  fatal: Error[];
}
export interface LogMaker {
  /** A log over nothing, not started. */
  fresh(): Promise<LogUnderTest>;
  /** The same node again after `stop`. */
  reopen(before: LogUnderTest): Promise<LogUnderTest>;
  cleanUp(): void;
}

const CONSISTENCIES = ["stale", "leader", "linearizable"] as const;

/** One maker a test, and an end for every log it made. */
interface Harness {
  fresh(): Promise<LogUnderTest>;
  started(): Promise<LogUnderTest>;
  reopen(before: LogUnderTest): Promise<LogUnderTest>;
}

function useHarness(makeMaker: () => LogMaker): Harness {
  let maker: LogMaker | null = null;
  let open: LogUnderTest[] = [];
  afterEach(async () => {
    for (const { log } of open) await log.stop();
    open = [];
    maker?.cleanUp();
    maker = null;
  });
  const keep = async (making: Promise<LogUnderTest>): Promise<LogUnderTest> => {
    const made = await making;
    open.push(made);
    return made;
  };
  const fresh = (): Promise<LogUnderTest> => {
    maker = makeMaker();
    return keep(maker.fresh());
  };
  return {
    fresh,
    started: async () => {
      const made = await fresh();
      await made.log.start();
      return made;
    },
    reopen: (before) => {
      if (maker === null) throw new Error("nothing to reopen");
      return keep(maker.reopen(before));
    },
  };
}

/** What every single-node `ReplicatedLog` does; each engine's test runs it. */
export function describeReplicatedLog(name: string, makeMaker: () => LogMaker): void {
  describe(`R0 ReplicatedLog: ${name}`, () => {
    const harness = useHarness(makeMaker);
    describeWork(harness);
    describeOperations(harness);
    describeEnds(harness);
  });
}

function describeWork(harness: Harness): void {
  it("R0 answers each proposer with its own command's result, in index order without gaps", async () => {
    const { log, machine } = await harness.started();
    const texts = Array.from({ length: 200 }, (_, i) => `command ${i}`);
    const answers = await Promise.all(texts.map((text) => log.propose(commandOf(text))));
    expect(answers.map(({ result }) => result)).toEqual(texts.map((text) => `applied ${text}`));
    const first = answers[0]!.index;
    expect(answers.map(({ index }) => index)).toEqual(texts.map((_, i) => first + i));
    expect(machine.commands()).toEqual(texts);
  });
  it.each(CONSISTENCIES)(
    "R6 a %s read on the only node sees every acknowledged write",
    async (consistency) => {
      const { log } = await harness.started();
      for (let i = 0; i < 5; i += 1) {
        const { index } = await log.propose(commandOf(`write ${i}`));
        expect(await log.readBarrier(consistency)).toBeGreaterThanOrEqual(index);
      }
      const reads = await Promise.all(Array.from({ length: 50 }, () => log.readBarrier(consistency)));
      expect(new Set(reads).size).toBe(1);
    },
  );

  it("R0 leads once started, and its status says so", async () => {
    const { log } = await harness.started();
    const { index, term } = await log.propose(commandOf("one"));
    const status = log.status();
    expect(status).toMatchObject({ role: "leader", leaderId: status.nodeId, term, appliedIndex: index });
    expect(status.commitIndex).toBe(index);
    expect(status.lastIndex).toBe(index);
    expect(status.members).toEqual([{ nodeId: status.nodeId, matchIndex: index, voter: true, active: true }]);
  });
  it("R14 refuses before start and after stop as not proposed, twice the same", async () => {
    const { log } = await harness.fresh();
    await expect(log.propose(commandOf("early"))).rejects.toBeInstanceOf(NotProposedError);
    await log.start();
    await expect(log.start()).rejects.toThrow("cannot be started");
    await log.stop();
    await log.stop();
    await expect(log.propose(commandOf("late"))).rejects.toBeInstanceOf(NotProposedError);
    for (const consistency of CONSISTENCIES) {
      await expect(log.readBarrier(consistency)).rejects.toBeInstanceOf(NotProposedError);
    }
  });
}

function describeOperations(harness: Harness): void {
  it("R5 a learner comes and goes; what is asked for twice is there once", async () => {
    const { log } = await harness.started();
    const { nodeId } = log.status();
    const members = (): unknown => log.status().members.map((m) => [m.nodeId, m.voter]);
    for (let i = 0; i < 2; i += 1) {
      const { index } = await log.changeMembership({ voters: [nodeId], learners: [7] });
      expect(log.status().appliedIndex).toBeGreaterThanOrEqual(index);
      expect(members()).toEqual([
        [nodeId, true],
        [7, false],
      ]);
    }
    await log.changeMembership({ voters: [nodeId], learners: [] });
    expect(members()).toEqual([[nodeId, true]]);
    await log.propose(commandOf("after"));
  });
  it.each([
    { voters: [], learners: [] },
    { voters: [1, 1], learners: [] },
    { voters: [1], learners: [1] },
    { voters: [1], learners: [0] },
    { voters: [1], learners: [1.5] },
  ])("R5 refuses voters $voters with learners $learners", async (next) => {
    const { log } = await harness.started();
    await expect(log.changeMembership(next)).rejects.toBeInstanceOf(NotProposedError);
    await log.propose(commandOf("after"));
  });
  it("R5 leadership stays where it is when there is nobody else", async () => {
    const { log } = await harness.started();
    const { nodeId } = log.status();
    await expect(log.transferLeader()).rejects.toBeInstanceOf(NotProposedError);
    await expect(log.transferLeader(9)).rejects.toBeInstanceOf(NotProposedError);
    expect(await log.transferLeader(nodeId)).toMatchObject({ leaderId: nodeId });
    await log.propose(commandOf("after"));
  });
  it("R4 a snapshot on request answers what is applied, and the node goes on from it", async () => {
    const before = await harness.started();
    const { index } = await before.log.propose(commandOf("before"));
    const [one, two] = await Promise.all([before.log.triggerSnapshot(), before.log.triggerSnapshot()]);
    expect([one, two, await before.log.triggerSnapshot()]).toEqual([index, index, index]);
    expect(before.log.status().firstIndex).toBe(index + 1);
    await before.log.propose(commandOf("after"));
    expect(before.machine.commands()).toEqual(["before", "after"]);
  });
  it("R14 refuses operations when it is not running", async () => {
    const { log } = await harness.started();
    await log.stop();
    await expect(log.changeMembership({ voters: [1], learners: [] })).rejects.toBeInstanceOf(
      NotProposedError,
    );
    await expect(log.transferLeader()).rejects.toBeInstanceOf(NotProposedError);
    await expect(log.triggerSnapshot()).rejects.toBeInstanceOf(NotProposedError);
  });
}

function describeEnds(harness: Harness): void {
  it("R14 ends every proposal in flight at stop: applied, or said to be unknown", async () => {
    const { log } = await harness.started();
    const proposals = Array.from({ length: 20 }, (_, i) => log.propose(commandOf(`last ${i}`)));
    const [outcomes] = await Promise.all([Promise.allSettled(proposals), log.stop()]);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(OutcomeUnknownError);
    }
  });
  it("R3 goes on after a restart where it was", async () => {
    const before = await harness.started();
    const { index } = await before.log.propose(commandOf("before"));
    await before.log.stop();
    const after = await harness.reopen(before);
    await after.log.start();
    const answer = await after.log.propose(commandOf("after"));
    expect(answer.index).toBeGreaterThan(index);
    expect(after.machine.commands()).toEqual(["before", "after"]);
    expect(after.fatal).toEqual([]);
  });
  it("R3 a state machine that throws is fatal: outcome unknown, then nothing is accepted", async () => {
    const { log, machine, fatal } = await harness.started();
    machine.failNext();
    const failing = [log.propose(commandOf("a")), log.propose(commandOf("b"))];
    for (const outcome of await Promise.allSettled(failing)) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: expect.any(OutcomeUnknownError) as unknown,
      });
    }
    expect(fatal.map((error) => error.message)).toEqual(["the state machine failed"]);
    await expect(log.propose(commandOf("c"))).rejects.toBeInstanceOf(NotProposedError);
    await expect(log.readBarrier("stale")).rejects.toBeInstanceOf(NotProposedError);
  });
}
