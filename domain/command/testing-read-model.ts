import type { AuditAnchor } from "../access/anchor-audit.ts";
import type { ChangeRequest } from "../change-request/change-request.ts";
import { readChangeRules } from "../change-request/change-rules.ts";
import type { NodeRecord } from "../cluster/node-record.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import type { PublishGate } from "../publish/publish-gate.ts";
import type { PublishPlan } from "../publish/publish-plan.ts";
import type { TokenRevoked } from "./feed-entry.ts";
import type { MemoryState } from "./memory-state.ts";
import { scanAll } from "./scan-all.ts";
import { stateKey } from "./state-view.ts";
import type { ModelConfig, ModelPlan } from "./testing-command-model.ts";
import type { StepGate } from "./testing-steps.ts";
import type { Model } from "./testing-system-model.ts";

/** What the model and the state must agree on. */
export interface Seen {
  configs: Map<string, ModelConfig>;
  guarded: boolean;
  tokens: Record<string, number>;
  anchors: { seq: number; hash: string }[];
  nodes: Model["nodes"];
}

export function seenOfModel({ world, nodes }: Model): Seen {
  const { configs, guarded, tokens, anchors } = world;
  return { configs, guarded, tokens, anchors, nodes };
}

export function seenOfState(state: MemoryState): Seen {
  const tokens = rowsOf<TokenRevoked>(state, stateKey.revocationPrefix);
  const anchors = (state.json(stateKey.auditAnchors("demo")) ?? []) as AuditAnchor[];
  const nodes = rowsOf<NodeRecord>(state, stateKey.nodePrefix).map(
    ({ node_id, raft_address: at, disk_id: disk, removed }) => [node_id, { at, disk, removed }] as const,
  );
  return {
    configs: readConfigs(state),
    guarded: readChangeRules(state, "demo").approvals.length > 0,
    tokens: Object.fromEntries(tokens.map(({ jti, expires_at_ms }) => [jti, expires_at_ms])),
    anchors: anchors.map(({ seq, hash }) => ({ seq, hash: hash.slice(0, 1) })),
    nodes: Object.fromEntries(nodes),
  };
}

function rowsOf<Row>(state: MemoryState, prefix: string): Row[] {
  return [...scanAll(state, prefix)].map(({ value }) => value as Row);
}

function readConfigs(state: MemoryState): Map<string, ModelConfig> {
  return new Map(
    rowsOf<Config>(state, "c/").map((config) => {
      const { id, name, latest_version_id, releases, bundle, retention } = config;
      const versions = rowsOf<ConfigVersion>(state, stateKey.versionPrefix(id));
      const letters = new Map(versions.map(({ version_id, sha256 }) => [version_id, sha256.slice(0, 1)]));
      const seen: ModelConfig = {
        versions: Array.from({ length: latest_version_id }, (_, i) => letters.get(i + 1) ?? null),
        bundled: bundle?.content?.slice(0, 1) ?? null,
        asked: readAsked(state, id),
        rules: releases
          .filter((r) => r.publish_id === undefined)
          .map((r) => ({ label: r.labels["l"] ?? "", version: r.version_id })),
        plan: readPlan(state, config),
        named: readNamed(state, id),
        keeps: retention?.count ?? null,
        deprecated: versions.flatMap(({ version_id, deprecated_at_ms }) =>
          deprecated_at_ms === undefined ? [] : [version_id],
        ),
      };
      return [name, seen] as const;
    }),
  );
}

function readAsked(state: MemoryState, configId: string): ModelConfig["asked"] {
  const requests = rowsOf<ChangeRequest>(state, stateKey.changeRequestPrefix);
  return Object.fromEntries(
    requests.flatMap(({ id, state: stands, config_id, operation, approvals }) =>
      stands === "open" && config_id === configId && operation.kind === "rollback"
        ? [[id, { version: operation.payload.version_id, approvedBy: approvals.map(({ by }) => by.name) }]]
        : [],
    ),
  );
}

function readNamed(state: MemoryState, configId: string): number[] {
  const ids = rowsOf<string>(state, stateKey.publishByConfigPrefix(configId));
  const named = ids.map((id) => (state.json(stateKey.publish(id)) as PublishPlan).version_id);
  return [...new Set(named)].toSorted((a, b) => a - b);
}

function readPlan(state: MemoryState, config: Config): ModelPlan | null {
  const owned = config.releases.filter((r) => r.publish_id !== undefined);
  if (owned.length === 0) return null;
  const plan = state.json(stateKey.publish(owned[0]?.publish_id ?? "")) as PublishPlan;
  const stage = plan.stages[plan.stage - 1];
  const labels = owned.map((r) => r.labels["l"]).join();
  const wanted = ["x", "y", "z"].slice(0, plan.stage).join();
  if (labels !== wanted) throw new Error(`stage ${plan.stage} has the rules of ${labels}`);
  const { pause } = plan;
  return {
    version: plan.version_id,
    previous: plan.previous_version_id,
    stage: plan.stage,
    stages: plan.stages.length,
    bakes: stage?.bake_minutes !== null,
    gate: gateOf(stage?.gates?.[0]),
    verdict: stage?.gate_outcomes?.[0]?.verdict ?? null,
    approvedBy: (stage?.approvals ?? []).map(({ by }) => by.name),
    startedAtMs: stage?.started_at_ms ?? Number.NaN,
    pausedMs: stage?.paused_ms ?? 0,
    pausedAtMs: pause?.started_at_ms ?? null,
    pauseMs: pause === undefined ? 0 : pause.ends_at_ms - pause.started_at_ms,
    on_timeout: pause?.on_timeout ?? "abort",
  };
}

function gateOf(gate: PublishGate | undefined): StepGate {
  if (gate === undefined) return "none";
  if (gate.type === "approval") return "approval";
  return gate.on_fail === "abort" ? "aborts" : "pauses";
}
