import {
  type MembershipTarget,
  NotProposedError,
  type ReplicatedLog,
  type ReplicatedLogStatus,
  type StateMachine,
} from "../replicated-log.ts";

/** A log of one node that keeps nothing: for tests of what stands above the log. Commands that come together are one batch. */
export class TestingLog<R> implements ReplicatedLog<R> {
  readonly #machine: StateMachine<R>;
  #queue: { data: Uint8Array; done: (answer: { index: number; term: number; result: R }) => void }[] = [];
  /** When set, every call is refused with it. */
  failure: Error | null = null;
  #started = false;

  constructor(machine: StateMachine<R>) {
    this.#machine = machine;
  }

  async start(): Promise<void> {
    this.#started = true;
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#machine.close();
  }

  async propose(data: Uint8Array): Promise<{ index: number; term: number; result: R }> {
    if (this.failure !== null) throw this.failure;
    if (!this.#started) throw new NotProposedError("the log is not running", null);
    return new Promise((resolve) => {
      this.#queue.push({ data, done: resolve });
      if (this.#queue.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  async readBarrier(): Promise<number> {
    if (this.failure !== null) throw this.failure;
    return this.#machine.lastApplied();
  }

  async changeMembership(_next: MembershipTarget): Promise<{ index: number; term: number }> {
    throw this.failure ?? new NotProposedError("a log of tests has one member", 1);
  }

  async transferLeader(_target?: number): Promise<{ leaderId: number; term: number }> {
    throw this.failure ?? new NotProposedError("no other voter is there to lead", 1);
  }

  async triggerSnapshot(): Promise<number> {
    return this.readBarrier();
  }

  status(): ReplicatedLogStatus {
    const index = this.#machine.lastApplied();
    return {
      nodeId: 1,
      role: this.failure === null ? "leader" : "follower",
      leaderId: this.#started ? 1 : null,
      term: 1,
      commitIndex: index,
      appliedIndex: index,
      lastIndex: index,
      firstIndex: 1,
      members: [{ nodeId: 1, matchIndex: index, voter: true, active: true }],
    };
  }

  #flush(): void {
    const batch = this.#queue;
    this.#queue = [];
    const first = this.#machine.lastApplied() + 1;
    const results = this.#machine.apply(batch.map(({ data }, i) => ({ index: first + i, data })));
    for (const [i, { done }] of batch.entries()) {
      const result = results[i];
      if (result !== null && result !== undefined) done({ index: first + i, term: 1, result });
    }
  }
}
