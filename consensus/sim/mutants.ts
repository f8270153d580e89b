/**
 * Deliberate bugs. Each is a change to the text of one module, made while it is loaded (apply-mutant.ts), so that nothing in
 * the modules themselves knows of them. `find` must be in its file exactly once; a test holds that.
 */

export interface Mutant {
  name: string;
  /** What is broken. */
  what: string;
  /** Below consensus/. */
  file: string;
  edits: readonly { find: string; replace: string }[];
}

const mutant = (name: string, what: string, file: string, find: string, replace: string): Mutant => ({
  name,
  what,
  file,
  edits: [{ find, replace }],
});

const ELECTIONS: readonly Mutant[] = [
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

const REPLICATION: readonly Mutant[] = [
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
    "commit-of-old-term",
    "a leader commits an earlier term's entries by counting (figure 8)",
    "raft/advance-commit.ts",
    "if (termAt(core.view, reached) !== core.term) return;",
    "",
  ),
  mutant(
    "commit-past-verified",
    "a follower commits what the leader has, though its own entries were not compared",
    "raft/follow.ts",
    "acceptCommit(core, Math.min(message.commit, matchIndex));",
    "acceptCommit(core, Math.min(message.commit, lastIndex(core.view)));",
  ),
  mutant(
    "heartbeat-commits-too-much",
    "a heartbeat tells a commit index that the follower is not known to have",
    "raft/send-append.ts",
    "commit: Math.min(progress.match, core.view.commit),",
    "commit: core.view.commit,",
  ),
  mutant(
    "commit-by-small-quorum",
    "one acknowledgement fewer than a majority commits",
    "raft/quorum/majority.ts",
    "return values[voters.length - (Math.floor(voters.length / 2) + 1)] ?? 0;",
    "return values[voters.length - Math.floor(voters.length / 2)] ?? 0;",
  ),
  mutant(
    "truncation-without-conflict",
    "an append cuts off what lies behind it though nothing conflicts",
    "raft/raft-log-view.ts",
    "const at = entries.findIndex((entry) => termAt(view, entry.index) !== entry.term);",
    "const at = entries.findIndex((entry) => entry.index > view.commit);",
  ),
  mutant(
    "aba-of-two-appends",
    "a batch that became durable is taken for entries that replaced its own meanwhile",
    "raft/raft-log-view.ts",
    "if (view.cutSinceTaken) return;",
    "",
  ),
  mutant(
    "answer-for-another-entry",
    "a proposal is answered by whatever entry is applied at its index",
    "raft-log-proposals.ts",
    "if (proposal.term === entry.term) {",
    "if (proposal.term > 0) {",
  ),
  {
    name: "unknown-called-not-proposed",
    what: "a command whose outcome is unknown is said not to be in the log",
    file: "raft-log-proposals.ts",
    edits: [
      {
        find: 'proposal.reject(new OutcomeUnknownError("the command was not committed in time"));',
        replace: 'proposal.reject(new NotProposedError("the command was not committed in time", null));',
      },
    ],
  },
];

const READS: readonly Mutant[] = [
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
    "lease-after-pause",
    "a leader answers reads while it has heard of a quorum within so many of its own ticks, which stop when it is frozen",
    "raft-log-barrier.ts",
    'if (consistency === "linearizable") {',
    `const { role: own, progress, membership } = node.status();
    const heard = 1 + progress.filter(({ active }) => active).length;
    if (consistency === "linearizable" && (own !== "leader" || 2 * heard <= membership.voters.length)) {`,
  ),
  mutant(
    "read-before-own-commit",
    "a new leader answers reads before it has committed an entry of its own term",
    "raft/read-index.ts",
    'core.role === "leader" && hasCommittedInTerm(core)',
    'core.role === "leader"',
  ),
  mutant(
    "late-heartbeat-serves-newer-read",
    "an answer to an earlier heartbeat confirms a later read",
    "raft/read-index.ts",
    "?? Infinity) <= confirmed) {",
    "?? Infinity) <= confirmed + 1) {",
  ),
  mutant(
    "read-before-applied",
    "a read is answered before its index is applied",
    "raft-log-reads.ts",
    "if (read.index <= index && read.term <= term) read.resolve(index);",
    "if (read.term <= term) read.resolve(index);",
  ),
];

const MEMBERSHIP: readonly Mutant[] = [
  mutant(
    "change-before-own-commit",
    "a membership change is taken before an entry of the own term is committed",
    "raft/propose.ts",
    " || !hasCommittedInTerm(core)",
    "",
  ),
  mutant(
    "two-changes-at-once",
    "a membership change is taken while the one before is not committed",
    "raft/propose.ts",
    "newestIndex > core.view.commit || ",
    "",
  ),
  mutant(
    "no-joint-membership",
    "any membership follows any other in one step",
    "raft/membership/membership.ts",
    "outgoing: came + went <= 1 ? [] : [...current.voters],",
    "outgoing: came + went <= 9 ? [] : [...current.voters],",
  ),
  mutant(
    "truncation-keeps-membership",
    "an uncommitted membership stays in force when its entry is cut off",
    "raft/membership/track-membership.ts",
    "core.memberships.pop();",
    "break;",
  ),
  mutant(
    "snapshot-without-membership",
    "a snapshot says the membership of the first boot",
    "raft-log-snapshots.ts",
    "membership: membershipAt(wal, index)",
    "membership: wal.cluster()!.membership",
  ),
];

const STATE: readonly Mutant[] = [
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
    "    this.#since = this.#since.slice(0, prng.below(this.#since.length + 1));\n    this.makeDurable();",
    "    const { index } = this.#durable;\n    this.makeDurable();\n    this.#durable.index = index;",
  ),
  {
    name: "apply-before-durable",
    what: "entries are applied while the batch that brought them is being written",
    file: "raft-log.ts",
    edits: [
      {
        find: "await this.#wal.append(batch, meanwhile);",
        replace:
          "this.#toApply = batch.committed;\n    this.#applyWaiting();\n    await this.#wal.append(batch);",
      },
      { find: "this.#toApply = batch.committed;", replace: "" },
    ],
  },
  mutant(
    "compaction-without-durable-state",
    "the log lets go of entries whose effect is not durable",
    "raft-log-compact.ts",
    "    this.#stateMachine.makeDurable?.();\n    this.#running",
    "    this.#running",
  ),
];

const DISK: readonly Mutant[] = [
  mutant(
    "rename-without-directory-sync",
    "a new segment is renamed, and its directory not synced",
    "storage/wal.ts",
    "    await this.#files.syncDirectory(directory);\n    this.#segments.push(",
    "    this.#segments.push(",
  ),
  mutant(
    "names-not-synced-at-recovery",
    "a segment renamed by a killed process is used without syncing its directory",
    "storage/recover-wal.ts",
    "await files.syncDirectory(directory);",
    "",
  ),
  mutant(
    "failed-sync-trusted",
    "after a failed sync, recovery syncs again instead of writing again",
    "storage/recover-wal.ts",
    "await writeAll(file, [content.subarray(scan.lastGroupAt, end)], scan.lastGroupAt);",
    "",
  ),
  mutant(
    "failed-sync-ignored",
    "a failed sync is taken for a success",
    "storage/group-writer.ts",
    "await synced;",
    "await synced.catch(() => undefined);",
  ),
  mutant(
    "checksum-ignored",
    "the checksum of a record is not looked at",
    "storage/wal-frame.ts",
    "if (crc32(segment.subarray(offset + CRC_BYTES, payloadAt + length), startOf(seed, offset)) !== crc)",
    "if (crc === 0)",
  ),
  mutant(
    "rot-taken-for-torn-write",
    "a damaged record in the middle is cut off with all that follows",
    "storage/wal-segment.ts",
    "if (later !== null) {",
    "if (later === -1) {",
  ),
  mutant(
    "second-process-allowed",
    "the data directory is not locked",
    "raft-log.ts",
    "const lock = options.host.lockDirectory(options.directory);",
    "const lock = { release: () => undefined };",
  ),
];

export const MUTANTS: readonly Mutant[] = [
  ...ELECTIONS,
  ...REPLICATION,
  ...READS,
  ...MEMBERSHIP,
  ...STATE,
  ...DISK,
];

/** Throws when the module is no longer what the mutant changes. */
export function mutate({ name, file, edits }: Mutant, source: string): string {
  let mutated = source;
  for (const { find, replace } of edits) {
    if (source.split(find).length !== 2) throw new Error(`mutant ${name}: not once in ${file}: ${find}`);
    mutated = mutated.replace(find, () => replace);
  }
  return mutated;
}
