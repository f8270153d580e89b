import { hasConditions, type ReleaseRule } from "../release-rule/release-rule.ts";
import { commandAskedFor } from "../change-request/change-request.ts";
import { type Command, type CommandKind, isOfSeveral } from "./command.ts";
import { contentsOf } from "./content-of.ts";

/**
 * The kinds that every build applies: all there are until the first release, and never one more after it. A kind that is
 * newer is proposed only once every voter has said that it applies it, which is what lets a cluster be upgraded node by
 * node. What repairs a cluster (the kinds about nodes) must be here: else a voter that nobody reaches could not be removed.
 */
export const BASE_COMMAND_KINDS: readonly CommandKind[] = [
  "create_config",
  "create_version",
  "put_releases",
  "rollback",
  "delete_config",
  "revoke_token",
  "register_node",
  "retire_node",
  "note_operation",
  "start_publish",
  "advance_publish",
  "abort_publish",
];

/**
 * What commands of a kind may hold only since a later build: a build tells its peers these names beside its kinds, and a
 * command that uses one is proposed like a kind of its own. `rule_conditions`: `when` and `percentage` of release rules;
 * a build without them would take such a rule for one that everybody matches. `config_limit`: `max_configs` of a new config,
 * and the count that is kept from the first of them on. `sealed_content`: envelopes; a build without them would lose what its
 * versions know of theirs. `break_glass`: a reason to pass a freeze window. `publish_stages`: `form` and `abort_plan` of a publish;
 * whether its plan's later commands do what a build without them does not depends on the plan that this one made.
 * `change_of_several`: a change request of a batch or a bundle.
 * `publish_gates`: gates of a stage, and word of them when it is left; a build without them would go on past a gate.
 * `rewrap_everywhere`: data keys inside typed configs and in change requests, which a build without it would leave as they are.
 * `prune_spares_several`: `form` of a removal of versions; a build without it removes what a change request of several names.
 * `restore_ids`: `keep_ids` of a restore's commit; a build without it forgets a restore with the next one.
 * `judged_content`: by what format and schema a content was judged; a build without it takes the content whatever they are by then.
 */
export const COMMAND_FEATURES = [
  "rule_conditions",
  "config_limit",
  "sealed_content",
  "break_glass",
  "publish_stages",
  "change_of_several",
  "publish_gates",
  "rewrap_everywhere",
  "prune_spares_several",
  "restore_ids",
  "judged_content",
] as const;
export type CommandFeature = (typeof COMMAND_FEATURES)[number];

/** The kind of a command and the features it uses: what every voter must know before it is proposed. */
export function abilitiesNeeded(command: Command): (CommandKind | CommandFeature)[] {
  const { kind, payload } = command;
  const features: CommandFeature[] = [];
  const shares = kind === "start_publish" && payload.stages.some((stage) => stage.percentage !== undefined);
  if (rulesOf(command).some(hasConditions) || shares) features.push("rule_conditions");
  if (kind === "create_config" && payload.max_configs !== undefined) features.push("config_limit");
  if (kind !== "apply_bundle" && contentsOf(command).some(({ sealed }) => sealed !== undefined))
    features.push("sealed_content");
  const isNewForm = kind === "start_publish" && (payload.form ?? payload.abort_plan) !== undefined;
  if (isNewForm) features.push("publish_stages");
  if (saysGates(command)) features.push("publish_gates");
  if (kind === "rewrap_keys" && (payload.parts ?? payload.held) !== undefined)
    features.push("rewrap_everywhere");
  if (kind === "prune_versions" && payload.form !== undefined) features.push("prune_spares_several");
  if (kind === "commit_restore" && payload.keep_ids !== undefined) features.push("restore_ids");
  if (saysJudged(command)) features.push("judged_content");
  if (command.break_glass !== undefined) features.push("break_glass");
  if (kind !== "request_change" && kind !== "edit_change") return [kind, ...features];
  // What is asked for is applied later, without another question.
  if (isOfSeveral(payload.operation)) features.push("change_of_several");
  return [kind, ...features, ...abilitiesNeeded(commandAskedFor(command))];
}

/** Whether a command makes gates or says something of them, and is no kind of its own for it. */
function saysGates({ kind, payload }: Command): boolean {
  if (kind === "start_publish") return payload.stages.some((stage) => stage.gates !== undefined);
  if (kind === "advance_publish") return payload.gates !== undefined;
  return kind === "resume_publish" && payload.skip_gates !== undefined;
}

/** Whether a command says by what a content of it was judged. */
function saysJudged({ kind, payload }: Command): boolean {
  if (kind === "batch_releases") return payload.items.some(({ judged_by }) => judged_by !== undefined);
  return (kind === "create_version" || kind === "start_publish") && payload.judged_by !== undefined;
}

/** The rules that a command brings. */
function rulesOf({ kind, payload }: Command): Pick<ReleaseRule, "when" | "percentage">[] {
  if (kind === "create_config" || kind === "put_releases") return payload.releases;
  return kind === "batch_releases" ? payload.items.flatMap(({ releases }) => releases ?? []) : [];
}
