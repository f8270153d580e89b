/** Deliberate bugs for whole nodes. */
import { type Mutant, mutantOf } from "./mutant.ts";

const mutant = mutantOf("whole");

export const ELECTION_MUTANTS: readonly Mutant[] = [
  mutant(
    "vote-not-persisted",
    "the vote is not in the hard state on disk",
    "storage/wal-record.ts",
    "putInteger(head, 8, record.hardState.vote);",
    "putInteger(head, 8, 0);",
  ),
  mutant(
    "vote-before-fsync",
    "votes leave before they are durable",
    "raft-log.ts",
    "this.#send(batch.messagesNow);",
    'this.#send([...batch.messagesNow, ...batch.messages.filter(({ type }) => type === "vote_reply")]);',
  ),
  mutant(
    "vote-for-shorter-log",
    "a vote does not look at the candidate's log",
    "raft/election.ts",
    "granted = free && !isPromised && upToDate;",
    "granted = free && !isPromised;",
  ),
  mutant(
    "small-quorum",
    "one vote fewer than a majority elects",
    "raft/quorum/majority.ts",
    "const needed = Math.floor(voters.length / 2) + 1;",
    "const needed = Math.floor(voters.length / 2);",
  ),
  mutant(
    "wiped-node-votes",
    "a node that lost its disk is not fenced",
    "raft-log.ts",
    "options.fenced ? fenceTransport",
    "options.fenced === null ? fenceTransport",
  ),
  mutant(
    "old-leader-counts-on-wiped-node",
    "a node that lost its disk follows the leader that still counts on it",
    "transport/fence-transport.ts",
    "if (forgottenTerm === null || message.term > forgottenTerm) return forgottenTerm !== null;",
    "if (forgottenTerm === null || message.term > 0) return forgottenTerm !== null;",
  ),
];

export const REPLICATION_MUTANTS: readonly Mutant[] = [
  mutant(
    "ack-before-fsync",
    "a follower acknowledges entries before they are durable",
    "raft-log.ts",
    "this.#send(batch.messagesNow);",
    'this.#send([...batch.messagesNow, ...batch.messages.filter(({ type }) => type === "append_reply")]);',
  ),
  mutant(
    "no-fsync",
    "the log is written and never synced",
    "storage/group-writer.ts",
    "const synced = file.datasync();",
    "const synced = Promise.resolve();",
  ),
  mutant(
    "answer-for-another-entry",
    "a proposal is answered by whatever entry is applied at its index",
    "raft-log-proposals.ts",
    "if (proposal.term === entry.term) {",
    "if (proposal.term > 0) {",
  ),
  mutant(
    "unknown-called-not-proposed",
    "a command whose outcome is unknown is said not to be in the log",
    "raft-log-proposals.ts",
    'proposal.reject(new OutcomeUnknownError("the command was not committed in time"));',
    'proposal.reject(new NotProposedError("the command was not committed in time", null));',
  ),
];

export const READ_MUTANTS: readonly Mutant[] = [
  mutant(
    "stale-read",
    "any node answers a linearizable read from its own state",
    "raft-log.ts",
    'if (consistency === "stale") return this.#applied.index;',
    'if (consistency !== "leader") return this.#applied.index;',
  ),
  mutant(
    "read-without-confirmation",
    "a leader answers a read without asking whether it still leads",
    "raft-log-barrier.ts",
    'if (consistency === "linearizable") {',
    'if (consistency === "linearizable" && node.status().role !== "leader") {',
  ),
  mutant(
    "read-while-quorum-active",
    "a leader answers reads while it has heard of a quorum within so many of its own ticks, which stop when it is frozen",
    "raft-log-barrier.ts",
    'if (consistency === "linearizable") {',
    `const { role: own, progress, membership } = node.status();
    const heard = 1 + progress.filter(({ active }) => active).length;
    if (consistency === "linearizable" && (own !== "leader" || 2 * heard <= membership.voters.length)) {`,
  ),
  mutant(
    "lease-after-pause",
    "a lease is measured in ticks of the process, which stop when it is frozen",
    "raft-log-options.ts",
    "nowTicks: () => clock.nowMs() / limits.tickMs,",
    "nowTicks: ((ticks) => (clock.every(limits.tickMs, () => (ticks += 1)), () => ticks))(0),",
  ),
  mutant(
    "lease-outlasts-promise",
    "a lease lasts longer than the promises that it stands on",
    "raft/lease.ts",
    "return promise - 1 - driftTicks;",
    "return promise + driftTicks;",
  ),
  mutant(
    "lease-by-own-timeout",
    "a leader takes its own election timeout for what every member promised",
    "raft/lease.ts",
    "const kept = Math.min(promise, LEASE_PROMISE_TICKS_MAX);",
    "const kept = promise < 0 ? promise : core.config.electionTicks;",
  ),
  {
    name: "promise-lost-at-restart",
    what: "a node that starts again holds no promise to the leader it had",
    caughtBy: "whole",
    edits: [
      { file: "raft/core.ts", find: "sinceLeader: 0,", replace: "sinceLeader: Infinity," },
      { file: "raft/core.ts", find: "sinceStart: 0,", replace: "sinceStart: Infinity," },
    ],
  },
  mutant(
    "lease-after-transfer",
    "a leader that has asked another to take over still has a lease",
    "raft/lease.ts",
    "core.leaseForfeited || core.transferee !== NOBODY",
    "core.transferee < NOBODY",
  ),
  mutant(
    "read-before-applied",
    "a read is answered before its index is applied",
    "raft-log-reads.ts",
    "if (read.index <= index && read.term <= term) read.resolve(index);",
    "if (read.term <= term) read.resolve(index);",
  ),
];

export const MEMBERSHIP_MUTANTS: readonly Mutant[] = [
  mutant(
    "snapshot-without-membership",
    "a snapshot says the membership of the first boot",
    "raft-log-snapshots.ts",
    "const membership = membershipAt(wal, index);",
    "const membership = wal.cluster()?.membership ?? null;",
  ),
];

export const STATE_MUTANTS: readonly Mutant[] = [
  mutant(
    "no-dedupe",
    "a repeated command is done again",
    "sim/sim-state.ts",
    "last !== undefined && sequence <= last.sequence",
    "last !== undefined && sequence < 0",
  ),
  mutant(
    "dedupe-table-lost-at-restart",
    "results of earlier commands are not in the durable state",
    "sim/sim-machine.ts",
    "    return state;\n  }\n}",
    "    state.results.clear();\n    return state;\n  }\n}",
  ),
  mutant(
    "dedupe-table-lost-in-snapshot",
    "results of earlier commands are not in a snapshot",
    "sim/sim-machine.ts",
    "const state = SimState.parse(bytes);",
    "const state = SimState.parse(bytes);\n    state.results.clear();",
  ),
  mutant(
    "applied-index-apart-from-state",
    "the applied index is written apart from the state",
    "sim/sim-machine.ts",
    "    this.#since = this.#since.slice(0, prng.below(this.#committed + 1));\n    this.makeDurable();",
    "    const { index } = this.#durable;\n    this.makeDurable();\n    this.#durable.index = index;",
  ),
  {
    name: "apply-before-durable",
    what: "entries are applied while the batch that brought them is being written",
    caughtBy: "whole",
    edits: [
      {
        file: "raft-log.ts",
        find: "await this.#wal.append(batch, meanwhile);",
        replace: "this.#apply(during);\n    this.#apply(after);\n    await this.#wal.append(batch);",
      },
      { file: "raft-log.ts", find: "\n    this.#toApply = after;", replace: "" },
    ],
  },
  mutant(
    "durable-without-what-is-open",
    "the log lets go of entries that the state has applied but not committed",
    "sim/sim-machine.ts",
    "    this.commit();\n    this.sync();",
    "    this.sync();",
  ),
  mutant(
    "failed-commit-forgotten",
    "a commit of the state fails, what it held is lost, and the node goes on",
    "sim/sim-machine.ts",
    '    this.#failure = new SimDiskError("ENOSPC", "the state cannot grow");\n    throw this.#failure;',
    '    throw new SimDiskError("ENOSPC", "the state cannot grow");',
  ),
  mutant(
    "compaction-without-durable-state",
    "the log lets go of entries whose effect is not durable",
    "raft-log-compact.ts",
    "    this.#stateMachine.makeDurable?.();\n    this.#running",
    "    this.#running",
  ),
];
