import { refuseBlocked } from "../bundle/refuse-blocked.ts";
import { planBundle } from "../bundle/plan-bundle.ts";
import { type ApplyInput, type Refusal, refuse } from "../command/apply-verb.ts";
import { isOfSeveral, type OperationOfSeveral } from "../command/command.ts";
import type { FieldError } from "../command/command-error.ts";
import { checkBatch } from "../config/batch-releases.ts";
import { sharedPlace } from "../config/config-name.ts";
import { findConfig } from "../config/find-config.ts";
import { CHANGE_CONFIGS_MAX, CHANGE_OPERATION_CHARACTERS_MAX, DESCRIPTION_BYTES_MAX } from "../limits.ts";
import { utf8Length } from "../utf8-length.ts";
import { type ChangeRequest, type ChangeTarget, isWritten } from "./change-request.ts";
import { targetOfItem } from "./changes-of.ts";

type Input = Pick<ApplyInput<"request_change" | "edit_change">, "state" | "command" | "attachments">;
/** What a change request is about. */
type ChangeSubject = Pick<ChangeRequest, "config_id" | "namespace" | "name" | "config_revision" | "targets">;
type Checked = { ok: true; subject: ChangeSubject } | Refusal;
type Targets = { ok: true; targets: ChangeTarget[] } | Refusal;

/**
 * What is to be changed, when what is asked of it can be kept: the same for a new request and an edited one. Refuses
 * `precondition_failed` when a config has another revision than was asked for, and a batch or a bundle that is wrong in
 * itself; `conflict` or `publish_running` for a bundle that something stands against.
 */
export function checkRequested(input: Input): Checked {
  const { payload } = input.command;
  if (utf8Length(payload.description) > DESCRIPTION_BYTES_MAX) {
    const message = `at most ${DESCRIPTION_BYTES_MAX} bytes`;
    return refuse("validation_failed", "the description is too long", [{ path: "/description", message }]);
  }
  if (JSON.stringify(payload.operation).length > CHANGE_OPERATION_CHARACTERS_MAX) {
    const message = `at most ${CHANGE_OPERATION_CHARACTERS_MAX} characters as JSON, contents apart`;
    return refuse("payload_too_large", "the operation is too large", [{ path: "/operation", message }]);
  }
  return isOfSeveral(payload.operation) ? subjectOfSeveral(input, payload.operation) : subjectOfOne(input);
}

function subjectOfOne({ state, command: { tenant, payload } }: Input): Checked {
  const { config_id, config_revision, operation } = payload;
  if (config_id === null || config_revision === null) {
    const message = "needed for an operation of one config";
    return refuse("validation_failed", message, [{ path: "/config_id", message }]);
  }
  const found = findConfig(state, { tenant, expected_revision: config_revision }, config_id);
  if (!found.ok) return found;
  if (isOfSeveral(operation) || operation.payload.config_id !== config_id) {
    return refuse("validation_failed", "the operation is about another config", [
      { path: "/operation", message: `must be about ${config_id}` },
    ]);
  }
  const { namespace, name } = found.config;
  return { ok: true, subject: { config_id, namespace, name, config_revision } };
}

function subjectOfSeveral(input: Input, operation: OperationOfSeveral): Checked {
  const { tenant, payload } = input.command;
  if (payload.config_id !== null || payload.config_revision !== null) {
    const message = "the operation says itself which configs it is about";
    return refuse("validation_failed", message, [{ path: "/config_id", message }]);
  }
  const found =
    operation.kind === "batch_releases"
      ? withPrefix(targetsOfBatch(input, operation.payload), "/operation/batch")
      : withPrefix(targetsOfBundle(input, operation.payload), "/operation/apply");
  if (!found.ok) return found;
  const { targets } = found;
  if (targets.length > CHANGE_CONFIGS_MAX) {
    const detail = `a change request is about at most ${CHANGE_CONFIGS_MAX} configs, got ${targets.length}`;
    return refuse("payload_too_large", detail);
  }
  const { name, ...place } = sharedPlace(targets);
  const subject = { config_id: null, namespace: { tenant, ...place }, name, config_revision: null, targets };
  return { ok: true, subject };
}

function targetsOfBatch(
  { state, command: { tenant }, attachments }: Input,
  payload: Extract<OperationOfSeveral, { kind: "batch_releases" }>["payload"],
): Targets {
  const unfit = checkBatch(payload, attachments);
  if (unfit !== null) return unfit;
  const targets: ChangeTarget[] = [];
  for (const [i, item] of payload.items.entries()) {
    const { config_id, expected_revision } = item;
    if (expected_revision === null) {
      const message = "what is approved is of a revision: name it";
      return refuse("validation_failed", message, [{ path: `/items/${i}/if_match`, message }]);
    }
    const found = findConfig(state, { tenant, expected_revision }, config_id);
    if (!found.ok) {
      return refuse(found.code, found.detail, [{ path: `/items/${i}`, message: found.detail }]);
    }
    targets.push(targetOfItem(item, found.config));
  }
  return { ok: true, targets };
}

function targetsOfBundle(
  { state, command: { tenant } }: Input,
  payload: Extract<OperationOfSeveral, { kind: "apply_bundle" }>["payload"],
): Targets {
  const planned = planBundle(state, tenant, payload);
  if (!planned.ok) return refuse("validation_failed", "the bundle is not valid", planned.errors);
  const { digest, items } = planned.plan;
  if (payload.if_plan !== digest) {
    return refuse("precondition_failed", "the configs have changed: the plan is another one now");
  }
  const blocked = refuseBlocked(items);
  if (blocked !== null) return blocked;
  if (!items.some(isWritten)) {
    return refuse(
      "validation_failed",
      "the configs are as the bundle wants them: there is nothing to ask for",
    );
  }
  const targets = items
    // Left alone, and no part of what is asked for.
    .filter(({ action }) => action !== "orphan")
    .map(({ app, env, name, config_id, revision, action, changes }): ChangeTarget => ({
      app,
      env,
      name,
      config_id,
      revision,
      action,
      changes,
    }));
  return { ok: true, targets };
}

function withPrefix(found: Targets, prefix: string): Targets {
  if (found.ok || found.errors === undefined) return found;
  const errors = found.errors.map((error): FieldError => ({ ...error, path: prefix + error.path }));
  return refuse(found.code, found.detail, errors);
}
