import { planBundle } from "../bundle/plan-bundle.ts";
import type { PlannedBundle } from "../bundle/planned-bundle.ts";
import {
  type BatchItem,
  type Command,
  type CommandKind,
  type CommandOf,
  isOfSeveral,
  type OperationOfOne,
} from "../command/command.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Namespace } from "../config/config-name.ts";
import type { Config } from "../config/config.ts";
import type { PublishPlan } from "../publish/publish-plan.ts";
import type { ChangeRequest, ChangeTarget } from "./change-request.ts";
import type { ChangeClass } from "./change-rules.ts";

/** What a command would change in one namespace. */
export interface NamespaceChange {
  namespace: Namespace;
  /** What policies of approval can be about; none: it needs no approval. */
  classes: ChangeClass[];
  /** It changes what clients get, and not back to what they got: refused in a freeze. */
  isFrozen: boolean;
}
type ChangesOf<K extends CommandKind> = (
  state: StateView,
  command: CommandOf<K>,
  planned: PlannedBundle | undefined,
) => NamespaceChange[];

const nothing = (): NamespaceChange[] => [];

/** What an operation of one config is about, in the words of policies. */
function classesOf({ kind, payload }: OperationOfOne): ChangeClass[] {
  switch (kind) {
    case "put_releases":
    case "rollback":
      return ["releases"];
    case "delete_config":
      return ["delete"];
    case "create_version":
      return ["versions"];
    default:
      return payload.content === null ? ["publish"] : ["publish", "versions"];
  }
}

function ofOperation(state: StateView, operation: OperationOfOne, isFrozen: boolean): NamespaceChange[] {
  const config = state.json(stateKey.config(operation.payload.config_id)) as Config | undefined;
  // What is not there is for the verb to refuse.
  return config === undefined
    ? []
    : [{ namespace: config.namespace, classes: classesOf(operation), isFrozen }];
}

/** What an operation of several configs would do to one; who owns a config is nothing to its clients. */
function ofTarget(
  tenant: string,
  { app, env, action, changes }: Pick<ChangeTarget, "app" | "env" | "action" | "changes">,
): NamespaceChange[] {
  const namespace = { tenant, app, env };
  if (action === "delete") return [{ namespace, classes: ["delete"], isFrozen: true }];
  const isReleased = changes.includes("releases");
  const classes: ChangeClass[] = [
    ...(isReleased ? (["releases"] as const) : []),
    // As with `create_config`: the first content of a config is nothing to anyone before a rule names it.
    ...(action === "update" && changes.includes("content") ? (["versions"] as const) : []),
  ];
  return classes.length === 0 ? [] : [{ namespace, classes, isFrozen: isReleased }];
}

/**
 * What each kind of command changes. A new kind must be here, so nothing changes what clients get past the rules of
 * changes by being forgotten.
 */
const CHANGES: { [K in CommandKind]: ChangesOf<K> } = {
  // A config without rules is nothing to anyone yet.
  create_config: (_state, { payload: { namespace, releases } }) =>
    releases.length === 0 ? [] : [{ namespace, classes: ["releases"], isFrozen: true }],
  create_version: (state, command) => ofOperation(state, command, false),
  put_releases: (state, command) => ofOperation(state, command, true),
  rollback: (state, command) => ofOperation(state, command, true),
  delete_config: (state, command) => ofOperation(state, command, true),
  start_publish: (state, command) => ofOperation(state, command, true),
  advance_publish: (state, { payload }) => {
    const plan = state.json(stateKey.publish(payload.publish_id)) as PublishPlan | undefined;
    if (plan === undefined) return [];
    // Its stages were part of what was approved.
    const classes: ChangeClass[] = plan.change_request_id === undefined ? ["publish"] : [];
    return [{ namespace: plan.namespace, classes, isFrozen: true }];
  },
  batch_releases: (state, { tenant, payload }) =>
    payload.items.flatMap((item) => {
      const config = state.json(stateKey.config(item.config_id)) as Config | undefined;
      return config === undefined ? [] : ofTarget(tenant, targetOfItem(item, config));
    }),
  // Nobody gets anything else by it; what follows asks for itself.
  pause_publish: nothing,
  // A gate that fails stops a plan or takes it back: neither waits for people nor for the end of a freeze.
  report_gates: nothing,
  approve_publish_stage: nothing,
  resume_publish: nothing,
  end_pause: nothing,
  set_retention: nothing,
  // Back to what clients got before the plan: that waits neither for people nor for the end of a freeze.
  abort_publish: nothing,
  revoke_token: nothing,
  begin_restore: nothing,
  restore_chunk: nothing,
  commit_restore: nothing,
  abort_restore: nothing,
  register_node: nothing,
  move_node: nothing,
  retire_node: nothing,
  note_operation: nothing,
  note_failure: nothing,
  anchor_audit: nothing,
  // The same content under another key.
  rewrap_keys: nothing,
  apply_bundle: (state, { tenant, payload }, planned = planBundle(state, tenant, payload)) =>
    planned.ok ? planned.plan.items.flatMap((item) => ofTarget(tenant, item)) : [],
  set_change_rules: nothing,
  request_change: nothing,
  edit_change: nothing,
  approve_change: nothing,
  reject_change: nothing,
  withdraw_change: nothing,
  // Asks by itself, of the command that it stands for (execute-change.ts).
  execute_change: nothing,
};

/** The plan of a bundle that a command applies, for all that go by it; undefined for every other command. */
export function planOf(state: StateView, command: Command): PlannedBundle | undefined {
  return command.kind === "apply_bundle" ? planBundle(state, command.tenant, command.payload) : undefined;
}

/** What an item of a batch does to its config. */
export function targetOfItem({ content }: BatchItem, config: Config): ChangeTarget {
  const { id, namespace, name, revision } = config;
  const changes: ChangeTarget["changes"] = content === null ? ["releases"] : ["content", "releases"];
  return { app: namespace.app, env: namespace.env, name, config_id: id, revision, action: "update", changes };
}

/** What a change request would change, by namespace, as it was when it was made. */
export function changesOfRequest({ namespace, operation, targets = [] }: ChangeRequest): NamespaceChange[] {
  if (isOfSeveral(operation)) return targets.flatMap((target) => ofTarget(namespace.tenant, target));
  return [{ namespace, classes: classesOf(operation), isFrozen: operation.kind !== "create_version" }];
}

/** What a command would change, by namespace. `planned`: of a bundle that has been planned already. */
export function changesOf<K extends CommandKind>(
  state: StateView,
  command: CommandOf<K> & Command,
  planned?: PlannedBundle,
): NamespaceChange[] {
  const of: ChangesOf<K> = CHANGES[command.kind];
  return of(state, command, planned);
}
