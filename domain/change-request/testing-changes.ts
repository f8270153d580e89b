import { applyCommand, type ApplyOutcome } from "../command/apply-command.ts";
import { checkInvariants } from "../command/check-invariants.ts";
import type { Actor, Command, CommandKind, CommandPayloads } from "../command/command.ts";
import type { CommandResults } from "../command/command-result.ts";
import type { FeedEntry } from "../command/feed-entry.ts";
import { MemoryState } from "../command/memory-state.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand } from "../command/testing-commands.ts";
import type { Config } from "../config/config.ts";

export const person = (name: string): Actor => ({ type: "user", id: `u-${name}`, name });

/** A state that commands are applied to one after the other, at a time that a test sets; invariants hold after each. */
export class TestingChanges {
  readonly state = new MemoryState();
  readonly feed: FeedEntry[] = [];
  index = 0;
  nowMs = 1_000_000;
  /** False: invariants are the test's own to check, where thousands of commands make a long state. */
  checks = true;

  apply<K extends CommandKind>(
    kind: K,
    payload: CommandPayloads[K],
    more: {
      by?: string;
      break_glass?: string;
      actor?: Actor;
      expected_revision?: number;
      tenant?: string;
    } = {},
    attachments: readonly Uint8Array[] = [new Uint8Array([1])],
  ): ApplyOutcome {
    const { by = "ada", ...rest } = more;
    const command: Command = testCommand(kind, payload, { actor: person(by), ...rest });
    this.index += 1;
    const { changes, feedEntry, outcome } = applyCommand({
      state: this.state,
      command,
      attachments,
      index: this.index,
      prevFeedIndex: this.feed.at(-1)?.index ?? 0,
      timestampMs: this.nowMs,
      clusterId: "c1",
      epoch: 1,
    });
    this.state.apply(changes);
    if (feedEntry !== null) this.feed.push(feedEntry);
    const wrong = this.checks ? checkInvariants(this.state) : [];
    if (wrong.length > 0) throw new Error(wrong.join("; "));
    return outcome;
  }

  /** The result of a command that must succeed. */
  done<K extends CommandKind>(...input: Parameters<typeof this.apply<K>>): CommandResults[K] {
    const outcome = this.apply(...input);
    if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.detail}`);
    return outcome.result as CommandResults[K];
  }

  /** The code of a command that must be refused. */
  code<K extends CommandKind>(...input: Parameters<typeof this.apply<K>>): string {
    const outcome = this.apply(...input);
    return outcome.ok ? "ok" : outcome.code;
  }

  config(id: string): Config {
    return this.state.json(stateKey.config(id)) as Config;
  }
}
