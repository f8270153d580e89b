import { isPatternOfTenant } from "../access/permits.ts";
import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import type { FieldError } from "../command/command-error.ts";
import type { CommandPayloads } from "../command/command.ts";
import { stateKey } from "../command/state-view.ts";
import {
  APPROVAL_POLICIES_MAX,
  APPROVALS_REQUIRED_MAX,
  FREEZE_NAME_CHARACTERS_MAX,
  FREEZE_WINDOWS_MAX,
  WEEKLY_FREEZE_MINUTES_MAX,
} from "../limits.ts";
import { type ChangeRules, type FreezeWindow, readChangeRules } from "./change-rules.ts";

const MINUTES_OF_A_DAY = 24 * 60;
const NAMESPACE_SEGMENTS = 3;

/**
 * Replaces what a tenant asks of changes: approvals by namespace, and freeze windows (C14). They hold from the next command
 * on, for requests that are open too. Refuses `validation_failed`, and `precondition_failed` when the command names another
 * revision.
 */
export const setChangeRules: ApplyVerb<"set_change_rules"> = ({ state, command, index, timestampMs }) => {
  const { tenant, payload, expected_revision } = command;
  const before = readChangeRules(state, tenant);
  if (expected_revision !== null && expected_revision !== before.revision) {
    return refuse("precondition_failed", `the rules have changed: their revision is ${before.revision}`);
  }
  const errors = [...checkApprovals(tenant, payload), ...checkFreezes(tenant, payload)];
  if (errors.length > 0) return refuse("validation_failed", "the rules of changes are not valid", errors);
  const rules: ChangeRules = { tenant, ...payload, updated_at_ms: timestampMs, revision: index };
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.changeRules(tenant), value: rules }],
    events: [],
    result: { rules },
    audit: { action: "write", resource: tenant, summary: `set rules of changes: ${describe(before, rules)}` },
  };
};

type Payload = CommandPayloads["set_change_rules"];

function checkApprovals(tenant: string, { approvals }: Payload): FieldError[] {
  const errors: FieldError[] = [];
  if (approvals.length > APPROVAL_POLICIES_MAX) {
    errors.push({ path: "/approvals", message: `at most ${APPROVAL_POLICIES_MAX} policies` });
  }
  for (const [i, policy] of approvals.entries()) {
    errors.push(...checkPattern(tenant, policy.namespaces, `/approvals/${i}/namespaces`));
    const { approvals_required: wanted } = policy;
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > APPROVALS_REQUIRED_MAX) {
      const message = `1 to ${APPROVALS_REQUIRED_MAX}`;
      errors.push({ path: `/approvals/${i}/approvals_required`, message });
    }
    if (policy.applies_to.length === 0) {
      errors.push({ path: `/approvals/${i}/applies_to`, message: "at least one kind of change" });
    }
  }
  return errors;
}

function checkFreezes(tenant: string, { freezes }: Payload): FieldError[] {
  const errors: FieldError[] = [];
  if (freezes.length > FREEZE_WINDOWS_MAX) {
    errors.push({ path: "/freezes", message: `at most ${FREEZE_WINDOWS_MAX} windows` });
  }
  for (const [i, window] of freezes.entries()) {
    errors.push(...checkPattern(tenant, window.namespaces, `/freezes/${i}/namespaces`));
    if (window.name.length === 0 || window.name.length > FREEZE_NAME_CHARACTERS_MAX) {
      const message = `1 to ${FREEZE_NAME_CHARACTERS_MAX} characters`;
      errors.push({ path: `/freezes/${i}/name`, message });
    }
    errors.push(...checkSpan(window, `/freezes/${i}`));
  }
  return errors;
}

function checkSpan(window: FreezeWindow, path: string): FieldError[] {
  if (window.type === "absolute") {
    return window.from_ms < window.until_ms
      ? []
      : [{ path: `${path}/until`, message: "after its beginning" }];
  }
  const errors: FieldError[] = [];
  const { minute_of_day: start, duration_minutes: length } = window;
  if (!Number.isInteger(start) || start < 0 || start >= MINUTES_OF_A_DAY) {
    errors.push({ path: `${path}/time`, message: "a time of day" });
  }
  if (!Number.isInteger(length) || length < 1 || length > WEEKLY_FREEZE_MINUTES_MAX) {
    const message = `whole minutes, 1 to ${WEEKLY_FREEZE_MINUTES_MAX}`;
    errors.push({ path: `${path}/duration_minutes`, message });
  }
  return errors;
}

function checkPattern(tenant: string, pattern: string, path: string): FieldError[] {
  const segments = pattern.split("/");
  const reaches = segments.length === NAMESPACE_SEGMENTS || segments.at(-1) === "**";
  const fits = segments.length <= NAMESPACE_SEGMENTS && reaches && isPatternOfTenant(pattern, tenant);
  if (fits) return [];
  return [{ path, message: `a namespace ${tenant}/app/env, or a pattern of some with * and **` }];
}

function describe(before: ChangeRules, after: ChangeRules): string {
  const count = ({ approvals, freezes }: ChangeRules): string =>
    `${approvals.length} policies of approval and ${freezes.length} freeze windows`;
  return `${count(after)} in the place of ${count(before)}`;
}
