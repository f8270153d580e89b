import type { ChangeRequest } from "../change-request/change-request.ts";
import type { Actor } from "./actor.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { testEnvelope } from "../encryption/testing-envelopes.ts";
import { GRAY_APP } from "../gray-config/gray-kind.ts";
import type { PublishGate } from "../publish/publish-gate.ts";
import type { Command, CommandOf, CommandPayloads, ContentRef } from "./command.ts";
import { stateKey, type StateView } from "./state-view.ts";
import { letterOf, rewrappedLetter } from "./testing-command-model.ts";
import { testCommand, testConfigPayload, testRule } from "./testing-commands.ts";
import {
  BAKE_MS,
  type ConfigStep,
  isSystemStep,
  PAUSE_MS,
  SEALED_NAME,
  type Step,
  type StepGate,
  type SystemStep,
  TYPED_NAME,
} from "./testing-steps.ts";
import { type Model, restoreIdOf } from "./testing-system-model.ts";

/** `testCommand` is ada's. */
const personOf = (name: string): Actor => ({ type: "user", id: name === "ada" ? "u-1" : `u-${name}`, name });
const hashOf = (letter: string): string => letter.repeat(64);
const SHOP = { tenant: "demo", app: "shop", env: "prod" };

function refOf(name: string, content: string): ContentRef {
  const sealed = { key_id: "alias/a", content_sha256: hashOf("0") };
  const ref = { attachment: 0, sha256: hashOf(letterOf(name, content)) };
  return name === SEALED_NAME ? { ...ref, sealed } : ref;
}

const GATES: Record<StepGate, PublishGate[] | undefined> = {
  none: undefined,
  approval: [{ type: "approval", approvers: 1 }],
  pauses: [{ type: "delivery_reports", max_error_percent: 1, sample_min: 1, on_fail: "pause" }],
  aborts: [{ type: "delivery_reports", max_error_percent: 1, sample_min: 1, on_fail: "abort" }],
};

interface At {
  state: StateView;
  model: Model;
  nowMs: number;
  index: number;
}

/** The command that a step is, and what it carries. */
export function commandOfStep(step: Step, at: At): { command: Command; attachments: Uint8Array[] } {
  if (isSystemStep(step)) {
    const chunk = at.model.restore?.saved.chunk ?? new Uint8Array();
    return { command: systemCommand(step, at), attachments: [chunk] };
  }
  const content = step.name === SEALED_NAME ? testEnvelope(SEALED_NAME, "b25l") : new Uint8Array([1]);
  return { command: configCommand(step, at), attachments: [content] };
}

function configCommand(step: ConfigStep, at: At): Command {
  const { ids } = at.model.world;
  const config_id = ids.get(step.name) ?? "cfg-c1-none";
  switch (step.do) {
    case "create":
      return createCommand(step);
    case "version":
      return testCommand("create_version", {
        config_id,
        content: refOf(step.name, step.content),
        format: null,
        schema: null,
        description: "",
      });
    case "draft": {
      const content = refOf(step.name, step.content);
      return testCommand("write_draft", { config_id, content, description: "" });
    }
    case "rules": {
      const releases = step.rules.map((r) => testRule(r.version, r.label === "" ? {} : { l: r.label }));
      return testCommand("put_releases", { config_id, releases, abort_plan: step.abortPlan });
    }
    case "rollback":
      return testCommand("rollback", { config_id, version_id: step.version, abort_plan: step.abortPlan });
    case "delete":
      return testCommand("delete_config", { config_id });
    case "retention": {
      const retention = step.keeps === null ? null : { count: step.keeps };
      return testCommand("set_retention", { config_id, retention });
    }
    case "prune": {
      const versions = step.versions.map((version_id) => ({
        version_id,
        sha256: shaIn(at.state, config_id, version_id),
      }));
      return testCommand("prune_versions", { config_id, versions, archive: "archive" });
    }
    case "batch":
      return batchCommand(step, config_id, ids.get(step.other) ?? "cfg-c1-none");
    case "bundle":
      return bundleCommand(step);
    case "rewrap":
      return rewrapCommand(step, config_id, at.state);
    case "ask":
    case "approve":
    case "reject":
    case "withdraw":
    case "execute":
      return changeCommand(step, config_id, at);
    default:
      return publishCommand(step, config_id, at);
  }
}

function createCommand(step: Step<"create">): CommandOf<"create_config"> & Command {
  const content = refOf(step.name, step.content);
  const payload = testConfigPayload(step.name, content.sha256, {
    content,
    namespace: step.name === TYPED_NAME ? { tenant: "demo", app: GRAY_APP, env: "data-source" } : SHOP,
    encrypted: step.name === SEALED_NAME,
    releases: step.release ? [testRule(1)] : [],
    retention: step.keeps === null ? null : { count: step.keeps },
    ...(step.max === null ? {} : { max_configs: step.max }),
  });
  const idempotency = step.key === null ? null : { scope: `k${step.key}`, digest: JSON.stringify(step) };
  return testCommand("create_config", payload, { idempotency });
}

function shaIn(state: StateView, configId: string, versionId: number): string {
  const row = state.json(stateKey.version(configId, versionId)) as ConfigVersion | undefined;
  return row?.sha256 ?? hashOf("9");
}

function batchCommand(step: Step<"batch">, config_id: string, other: string): Command {
  const one = { expected_revision: null, schema: null, description: "", releases: null };
  const fresh = { ...one, config_id, content: refOf(step.name, step.content) };
  const old = { ...one, config_id: other, content: null };
  return testCommand("batch_releases", {
    items: [
      { ...fresh, default_version_id: "new" },
      { ...old, default_version_id: step.version },
    ],
    abort_plan: step.abortPlan,
  });
}

function rewrapCommand({ version, stale }: Step<"rewrap">, config_id: string, state: StateView): Command {
  const from_sha256 = stale ? hashOf("9") : shaIn(state, config_id, version);
  const to_sha256 = hashOf(rewrappedLetter(from_sha256.slice(0, 1)));
  const head = { key_id: "alias/b", wrapped_key: "YW5ldw==" };
  const item = { config_id, version_id: version, from_sha256, to_sha256, ...head };
  return testCommand("rewrap_keys", { resource: "demo/*/*/*", items: [item], next_cursor: null });
}

function publishCommand(
  step: Step<"publish" | "advance" | "pause" | "resume" | "end_pause" | "abort" | "report" | "approve_stage">,
  config_id: string,
  { model }: At,
): Command {
  const { plans, configs } = model.world;
  const publish_id = plans.get(step.name) ?? "pub-c1-none";
  switch (step.do) {
    case "publish":
      return testCommand("start_publish", startPayload(step, config_id));
    case "advance": {
      const gates = step.held ? { gates: "held" as const } : {};
      const { stage: expected_stage, cause } = step;
      return testCommand("advance_publish", { publish_id, expected_stage, cause, ...gates });
    }
    case "pause":
      return testCommand("pause_publish", {
        publish_id,
        expected_stage: step.stage,
        minutes: PAUSE_MS / 60_000,
        on_timeout: step.on_timeout,
      });
    case "resume":
      return testCommand("resume_publish", { publish_id });
    case "end_pause": {
      const paused_at_ms = configs.get(step.name)?.plan?.pausedAtMs ?? 0;
      return testCommand("end_pause", { publish_id, paused_at_ms });
    }
    case "abort":
      return testCommand("abort_publish", { publish_id });
    case "report": {
      const { verdict } = step;
      const outcomes = [verdict === "holds" ? { verdict } : { verdict, reason: "so it is" }];
      return testCommand("report_gates", { publish_id, expected_stage: step.stage, outcomes });
    }
    default: {
      const payload = { publish_id, expected_stage: step.stage, comment: "" };
      return testCommand("approve_publish_stage", payload, { actor: personOf(step.by) });
    }
  }
}

function startPayload(step: Step<"publish">, config_id: string): CommandPayloads["start_publish"] {
  const { name, what, stages, bakes } = step;
  const gates = GATES[step.gate];
  return {
    config_id,
    content: typeof what === "string" ? refOf(name, what) : null,
    version_id: typeof what === "number" ? what : null,
    description: "",
    strategy: stages > 0 ? "staged" : "all",
    form: 2,
    abort_plan: step.abortPlan,
    // The same labels as a user's rules may have.
    stages: ["x", "y", "z"].slice(0, stages).map((l) => ({
      name: l,
      regions: null,
      labels: { l },
      bake_minutes: bakes ? BAKE_MS / 60_000 : null,
      ...(gates === undefined ? {} : { gates }),
    })),
  };
}

function changeCommand(
  step: Step<"ask" | "approve" | "reject" | "withdraw" | "execute">,
  config_id: string,
  { state, model }: At,
): Command {
  const known = model.world.asked.get(step.name)?.id;
  const change_request_id = known ?? "chr-c1-none";
  const request = state.json(stateKey.changeRequest(change_request_id)) as ChangeRequest | undefined;
  const digest = request?.digest ?? hashOf("0");
  switch (step.do) {
    case "ask": {
      const input = {
        config_id,
        config_revision: (state.json(stateKey.config(config_id)) as Config | undefined)?.revision ?? 1,
        operation: { kind: "rollback" as const, payload: { config_id, version_id: step.version } },
        description: "",
      };
      return step.edit && known !== undefined
        ? testCommand("edit_change", { ...input, change_request_id })
        : testCommand("request_change", input);
    }
    case "approve": {
      const payload = { change_request_id, digest, comment: "" };
      return testCommand("approve_change", payload, { actor: personOf(step.by) });
    }
    case "reject":
      return testCommand("reject_change", { change_request_id, comment: "" }, { actor: personOf(step.by) });
    case "withdraw":
      return testCommand("withdraw_change", { change_request_id, comment: "" }, { actor: personOf(step.by) });
    default:
      return testCommand("execute_change", { change_request_id, digest });
  }
}

function bundleCommand({ name, content, released }: Step<"bundle">): Command {
  const entry = {
    app: "shop",
    env: "prod",
    name,
    format: "json" as const,
    content: refOf(name, content),
    schema: null,
    description: "first",
    retention: { count: 1 },
    versions: [],
    releases: released ? [{ labels: {}, priority: 0, version: "bundle" }] : null,
  };
  const flags = { prune: false, adopt: true, force: true, abort_plan: true, if_plan: null };
  return testCommand("apply_bundle", { bundle_id: "git", configs: [entry], ...flags });
}

function systemCommand(step: SystemStep, { model, nowMs, index }: At): Command {
  switch (step.do) {
    case "guard": {
      const namespaces = `${SHOP.tenant}/${SHOP.app}/${SHOP.env}`;
      const policy = { namespaces, approvals_required: 1, applies_to: ["delete" as const] };
      return testCommand("set_change_rules", { approvals: step.guarded ? [policy] : [], freezes: [] });
    }
    case "revoke":
      return testCommand("revoke_token", { jti: step.jti, expires_at_ms: nowMs + step.forMs });
    case "anchor":
      return testCommand("anchor_audit", { seq: step.seq, hash: hashOf(step.hash) });
    case "register": {
      const where = { raft_address: step.at, url: step.at, disk_id: step.disk };
      return testCommand("register_node", { node_id: step.node, ...where });
    }
    case "move":
      return testCommand("move_node", { node_id: step.node, raft_address: step.at });
    case "retire":
      return testCommand("retire_node", { node_id: step.node });
    case "note":
      return testCommand(step.failed ? "note_failure" : "note_operation", { summary: "noted" });
    default:
      return restoreCommand(step, { model, nowMs, index });
  }
}

function restoreCommand(
  step: Step<"begin_restore" | "restore_chunk" | "commit_restore" | "abort_restore">,
  { model, nowMs, index }: Omit<At, "state">,
): Command {
  const id = restoreIdOf(model, step);
  const restore_id = `restore-${id}`;
  if (step.do === "commit_restore" || step.do === "abort_restore")
    return testCommand(step.do, { restore_id });
  const sha256 = hashOf(String(id));
  if (step.do === "restore_chunk") {
    return testCommand("restore_chunk", { restore_id, position: 0, content: { attachment: 0, sha256 } });
  }
  const origin = {
    backup_id: "backup",
    cluster_id: "c1",
    epoch: model.epoch,
    index: index - 1,
    timestamp_ms: nowMs,
    state_hash: hashOf("0"),
  };
  return testCommand("begin_restore", { restore_id, origin, chunks: [sha256], epoch_min: 0, force: false });
}
