import { matchesPattern } from "../access/scope.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Namespace } from "../config/config-name.ts";

/**
 * What a change can be of. `releases`: who gets which version, by rules or rollback. `publish`: a plan that brings a version
 * to clients. `delete`: a config with all that it has. `versions`: a new content, before anyone gets it.
 */
export const CHANGE_CLASSES = ["releases", "publish", "delete", "versions"] as const;
export type ChangeClass = (typeof CHANGE_CLASSES)[number];

/** Changes of these classes in these namespaces need so many approvals of others than the author. */
export interface ApprovalPolicy {
  /** A namespace (`demo/shop/prod`), or a pattern of some (`demo/shop/*`, `demo/**`). */
  namespaces: string;
  approvals_required: number;
  applies_to: ChangeClass[];
}

export const WEEK_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type WeekDay = (typeof WEEK_DAYS)[number];

interface FreezeHead {
  name: string;
  namespaces: string;
}
/** From a moment (included) to another (excluded). */
export interface AbsoluteFreeze extends FreezeHead {
  type: "absolute";
  from_ms: number;
  until_ms: number;
}
/**
 * Every week from a minute of a day in UTC. No other zone: the log's entries must mean the same on every node and for
 * good, and tables of zones differ between builds.
 */
export interface WeeklyFreeze extends FreezeHead {
  type: "weekly";
  day: WeekDay;
  /** 0 to 1439. */
  minute_of_day: number;
  duration_minutes: number;
}
export type FreezeWindow = AbsoluteFreeze | WeeklyFreeze;

/** What a tenant asks of changes. */
export interface ChangeRules {
  tenant: string;
  approvals: ApprovalPolicy[];
  freezes: FreezeWindow[];
  updated_at_ms: number;
  /** Log index of the command that set them; 0 before the first. */
  revision: number;
}

/** A tenant that has set none asks for nothing. */
export function readChangeRules(state: StateView, tenant: string): ChangeRules {
  const rules = state.json(stateKey.changeRules(tenant)) as ChangeRules | undefined;
  return rules ?? { tenant, approvals: [], freezes: [], updated_at_ms: 0, revision: 0 };
}

export function namespaceCovered(pattern: string, { tenant, app, env }: Namespace): boolean {
  return matchesPattern(pattern, `${tenant}/${app}/${env}`);
}

/** How many approvals a change needs: the most that any policy about it asks for, 0 when there is none. */
export function approvalsRequired(
  rules: ChangeRules,
  namespace: Namespace,
  classes: readonly ChangeClass[],
): number {
  return rules.approvals
    .filter((policy) => policy.applies_to.some((of) => classes.includes(of)))
    .filter((policy) => namespaceCovered(policy.namespaces, namespace))
    .reduce((most, policy) => Math.max(most, policy.approvals_required), 0);
}
