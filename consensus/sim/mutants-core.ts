/** Deliberate bugs that the simulator of the core alone is to catch. */
import { type Mutant, mutantOf } from "./mutant.ts";

const mutant = mutantOf("core");

export const CORE_MUTANTS: readonly Mutant[] = [
  mutant(
    "commit-of-old-term",
    "a leader commits an earlier term's entries by counting (figure 8)",
    "raft/advance-commit.ts",
    "if (termAt(core.view, reached) !== core.term) return;",
    "",
  ),
  {
    name: "commit-past-verified",
    what: "a follower commits what the leader has, though its own entries were not compared",
    caughtBy: "core",
    edits: [
      {
        file: "raft/follow.ts",
        find: "acceptCommit(core, Math.min(message.commit, matchIndex));",
        replace: "acceptCommit(core, Math.min(message.commit, lastIndex(core.view)));",
      },
      // Hidden otherwise, because a leader never begins below the first difference: its first append cuts off the rest. To begin
      // where the logs surely match is as good a way to lead.
      {
        file: "raft/tracker/progress.ts",
        find: "progress.next = Math.max(Math.min(rejected, hint + 1), progress.match + 1);",
        replace: "progress.next = progress.match + 1;",
      },
    ],
  },
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
];
