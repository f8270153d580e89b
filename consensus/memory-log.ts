import {
  NotProposedError,
  OutcomeUnknownError,
  type ReplicatedLog,
  type ReplicatedLogStatus,
  type StateMachine,
} from "./replicated-log.ts";

interface Waiting<R> {
  data: Uint8Array;
  resolve: (answer: { index: number; term: number; result: R }) => void;
  reject: (error: Error) => void;
}

const TERM = 1;

/**
 * A `ReplicatedLog` of one voter that keeps no log: commands go to the state machine in the order proposed, those of
 * one turn together. For tests of what stands above the log; durable only as far as the state machine is.
 */
export function createMemoryLog<R>(options: {
  nodeId: number;
  stateMachine: StateMachine<R>;
  /** The state machine threw. Called once. */
  onFatal: (error: Error) => void;
}): ReplicatedLog<R> {
  const { nodeId, stateMachine, onFatal } = options;
  let phase: "opened" | "running" | "failed" | "stopped" = "opened";
  let waiting: Waiting<R>[] = [];
  let learners: number[] = [];
  const refusal = (): Error => new NotProposedError(`the log is not running (${phase})`, null);
  const checkRunning = (): void => {
    if (phase !== "running") throw refusal();
  };

  const apply = (): void => {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const first = stateMachine.lastApplied() + 1;
    try {
      const results = stateMachine.apply(batch.map(({ data }, i) => ({ index: first + i, data })));
      for (const [i, { resolve }] of batch.entries()) {
        resolve({ index: first + i, term: TERM, result: results[i] as R });
      }
    } catch (cause) {
      const failed = new OutcomeUnknownError("the node failed before the command was applied", { cause });
      for (const { reject } of [...batch, ...waiting]) reject(failed);
      waiting = [];
      phase = "failed";
      onFatal(cause instanceof Error ? cause : new Error(String(cause)));
    }
  };

  return {
    start: () => {
      if (phase !== "opened") return Promise.reject(new Error(`the log is ${phase}, it cannot be started`));
      phase = "running";
      stateMachine.apply([{ index: stateMachine.lastApplied() + 1, data: null }]);
      return Promise.resolve();
    },
    stop: () => {
      if (phase === "stopped") return Promise.resolve();
      if (phase === "running") apply();
      phase = "stopped";
      stateMachine.close();
      return Promise.resolve();
    },
    propose: (data) => {
      if (phase !== "running") return Promise.reject(refusal());
      return new Promise((resolve, reject) => {
        waiting.push({ data, resolve, reject });
        if (waiting.length === 1) queueMicrotask(apply);
      });
    },
    readBarrier: () =>
      phase === "running" ? Promise.resolve(stateMachine.lastApplied()) : Promise.reject(refusal()),
    ...membershipOf(nodeId, stateMachine, { checkRunning, setLearners: (next) => (learners = next) }),
    status: (): ReplicatedLogStatus => {
      const isUp = phase === "running";
      return statusOf(nodeId, { index: stateMachine.lastApplied(), isUp, learners });
    },
  };
}

function statusOf(
  nodeId: number,
  at: { index: number; isUp: boolean; learners: readonly number[] },
): ReplicatedLogStatus {
  const { index, isUp, learners } = at;
  return {
    nodeId,
    role: isUp ? "leader" : "follower",
    leaderId: isUp ? nodeId : null,
    term: TERM,
    commitIndex: index,
    appliedIndex: index,
    lastIndex: index,
    firstIndex: index + 1,
    members: [
      { nodeId, matchIndex: index, voter: true, active: true },
      ...learners.map((id) => ({ nodeId: id, matchIndex: 0, voter: false, active: false })),
    ],
  };
}

/** What a log of one voter can make of operations on its membership. */
function membershipOf<R>(
  nodeId: number,
  stateMachine: StateMachine<R>,
  options: { checkRunning: () => void; setLearners: (learners: number[]) => void },
): Pick<ReplicatedLog<R>, "changeMembership" | "transferLeader" | "triggerSnapshot"> {
  const { checkRunning } = options;
  return {
    changeMembership: async ({ voters, learners }) => {
      checkRunning();
      const ids = [...voters, ...learners];
      const isValid =
        new Set(ids).size === ids.length && ids.every((id) => Number.isSafeInteger(id) && id > 0);
      if (!isValid || voters.length !== 1 || voters[0] !== nodeId) {
        throw new NotProposedError("not a member", nodeId);
      }
      const index = stateMachine.lastApplied() + 1;
      stateMachine.apply([{ index, data: null }]);
      options.setLearners([...learners]);
      return { index, term: TERM };
    },
    transferLeader: async (target) => {
      checkRunning();
      if (target === nodeId) return { leaderId: nodeId, term: TERM };
      throw new NotProposedError("no other voter is there to lead", nodeId);
    },
    triggerSnapshot: async () => {
      checkRunning();
      stateMachine.makeDurable?.();
      return stateMachine.lastApplied();
    },
  };
}
