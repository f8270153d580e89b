import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { BundleGuard } from "../bundle/bundle.ts";
import type { Command, CommandOf } from "../command/command.ts";
import type { PlannedBundle } from "../bundle/planned-bundle.ts";
import type { StateView } from "../command/state-view.ts";
import { CHANGE_COMMENT_CHARACTERS_MAX } from "../limits.ts";
import { approvalsRequired, type ChangeRules, readChangeRules } from "./change-rules.ts";
import { changesOf, type NamespaceChange } from "./changes-of.ts";
import { frozenUntil } from "./frozen-until.ts";

/** `note`: what the audit says of it before all else; empty for most. */
type Guarded = { ok: true; note: string } | Refusal;

/**
 * Holds every command to the rules of its tenant's changes (C14), before its verb sees it. Refuses `approval_required` for
 * what only an approved request may do, and `change_frozen` in a freeze window, unless the command gives a reason to pass.
 */
export function guardChange(
  state: StateView,
  command: Command,
  { nowMs, planned }: { nowMs: number; planned: PlannedBundle | undefined },
): Guarded {
  const { approvals, freezes } = readChangeRules(state, command.tenant);
  // What a command changes takes its time to find: nobody has asked.
  if (approvals.length === 0 && freezes.length === 0) return { ok: true, note: "" };
  const changes = changesOf(state, command, planned);
  return refuseUnapproved(state, command.tenant, changes) ?? guardFreeze(state, command, changes, nowMs);
}

function refuseUnapproved(
  state: StateView,
  tenant: string,
  changes: readonly NamespaceChange[],
): Refusal | null {
  const needed = neededOf(state, tenant, changes);
  if (needed === 0) return null;
  const detail = `the change needs ${countApprovals(needed)}: make a change request of it`;
  return refuse("approval_required", detail);
}

/** All that `guardChange` would refuse a bundle for now, for who asks what stands against it before it is applied. */
export function findGuards(
  state: StateView,
  command: CommandOf<"apply_bundle">,
  { nowMs, planned }: { nowMs: number; planned: PlannedBundle },
): BundleGuard[] {
  const changes = changesOf(state, command, planned);
  const frozen = guardFreeze(state, command, changes, nowMs);
  return [refuseUnapproved(state, command.tenant, changes), frozen.ok ? null : frozen].flatMap((refusal) =>
    refusal?.code === "approval_required" || refusal?.code === "change_frozen"
      ? [{ code: refusal.code, reason: refusal.detail }]
      : [],
  );
}

/** The approvals that these changes need. */
export function neededOf(state: StateView, tenant: string, changes: readonly NamespaceChange[]): number {
  return changes.length === 0 ? 0 : mostRequired(readChangeRules(state, tenant), changes);
}

/** The approvals that the strictest policy about any of these changes asks for; 0 when there is none. */
export function mostRequired(rules: ChangeRules, changes: readonly NamespaceChange[]): number {
  return changes.reduce(
    (most, { namespace, classes }) => Math.max(most, approvalsRequired(rules, namespace, classes)),
    0,
  );
}

export function countApprovals(count: number): string {
  return `${count} ${count === 1 ? "approval" : "approvals"} of others than its author`;
}

/** The freeze alone, for what has been approved. */
export function guardFreeze(
  state: StateView,
  command: Pick<Command, "tenant" | "break_glass">,
  changes: readonly NamespaceChange[],
  nowMs: number,
): Guarded {
  const frozen = changes.filter((change) => change.isFrozen);
  if (frozen.length === 0) return { ok: true, note: "" };
  const { freezes } = readChangeRules(state, command.tenant);
  for (const { namespace } of frozen) {
    const freeze = frozenUntil(freezes, namespace, nowMs);
    if (freeze === null) continue;
    const { break_glass: reason } = command;
    if (reason === undefined) {
      const until = new Date(freeze.untilMs).toISOString();
      return refuse("change_frozen", `changes are frozen until ${until} (${freeze.name})`);
    }
    if (reason.trim() === "" || reason.length > CHANGE_COMMENT_CHARACTERS_MAX) {
      const message = `a reason of 1 to ${CHANGE_COMMENT_CHARACTERS_MAX} characters`;
      return refuse("validation_failed", "passing a freeze needs a reason", [
        { path: "/break_glass", message },
      ]);
    }
    return { ok: true, note: `BREAK GLASS through the freeze "${freeze.name}" (${reason}): ` };
  }
  return { ok: true, note: "" };
}
