// Over 400 lines: the steps, the model that takes them and the commands that they are belong together.
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { ChangeRequest } from "../change-request/change-request.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { applyCommand } from "./apply-command.ts";
import { checkInvariants } from "./check-invariants.ts";
import type { Command } from "./command.ts";
import type { FeedEntry } from "./feed-entry.ts";
import { MemoryState } from "./memory-state.ts";
import { scanAll } from "./scan-all.ts";
import { publishIdOf, type PublishPlan } from "../publish/publish-plan.ts";
import { stateKey } from "./state-view.ts";
import {
  emptyConfig,
  isThere,
  type ModelConfig,
  type ModelPlan,
  stepPrune,
} from "./testing-command-model.ts";
import { testCommand, testConfigPayload, testRule } from "./testing-commands.ts";

type Step =
  | {
      do: "create";
      name: string;
      content: string;
      release: boolean;
      keeps: number | null;
      key: number | null;
      max: number | null;
    }
  | { do: "version"; name: string; content: string }
  | { do: "rules"; name: string; rules: { label: string; version: number }[]; abortPlan: boolean }
  | { do: "rollback"; name: string; version: number; abortPlan: boolean }
  | { do: "delete"; name: string }
  | { do: "retention"; name: string; keeps: number | null }
  | { do: "prune"; name: string; versions: number[] }
  | { do: "batch"; name: string; other: string; content: string; version: number; abortPlan: boolean }
  | {
      do: "publish";
      name: string;
      what: string | number;
      stages: number;
      bakes: boolean;
      abortPlan: boolean;
    }
  | { do: "advance"; name: string; cause: "by_hand" | "bake_over"; stage: number }
  | { do: "pause"; name: string; stage: number; on_timeout: "abort" | "resume" }
  | { do: "resume"; name: string }
  | { do: "end_pause"; name: string }
  | { do: "abort"; name: string }
  | { do: "ask"; name: string; version: number; edit: boolean }
  | { do: "execute"; name: string }
  | { do: "bundle"; name: string; content: string; released: boolean };
type PlanStep = Extract<Step, { do: "publish" | "advance" | "pause" | "resume" | "end_pause" | "abort" }>;
/** A rollback that is asked for, by the name of its config; stale when the config has changed since. */
type Asked = Map<string, { id: string; version: number; stale: boolean }>;
/** Between two commands; a stage bakes for four of them. */
const STEP_MS = 150;
const BAKE_MS = 600;
/** A pause counts as forgotten after that. */
const PAUSE_MS = 600;

const name = fc.constantFrom("a", "b", "c");
const content = fc.constantFrom("1", "2", "3");
const rule = fc.record({ label: fc.constantFrom("", "x", "y"), version: fc.integer({ min: 1, max: 4 }) });
const steps = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant("create" as const),
      name,
      content,
      release: fc.boolean(),
      keeps: fc.constantFrom(null, 1, 2),
      key: fc.option(fc.integer({ min: 1, max: 3 })),
      max: fc.option(fc.integer({ min: 0, max: 3 })),
    }),
    fc.record({ do: fc.constant("version" as const), name, content }),
    fc.record({
      do: fc.constant("rules" as const),
      name,
      rules: fc.array(rule, { maxLength: 3 }),
      abortPlan: fc.boolean(),
    }),
    fc.record({
      do: fc.constant("rollback" as const),
      name,
      version: fc.integer({ min: 1, max: 4 }),
      abortPlan: fc.boolean(),
    }),
    fc.record({ do: fc.constant("delete" as const), name }),
    fc.record({
      do: fc.constant("retention" as const),
      name,
      keeps: fc.option(fc.integer({ min: 1, max: 3 })),
    }),
    fc.record({
      do: fc.constant("prune" as const),
      name,
      versions: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 }),
    }),
    fc.record({
      do: fc.constant("batch" as const),
      name,
      other: name,
      content,
      version: fc.integer({ min: 1, max: 4 }),
      abortPlan: fc.boolean(),
    }),
    fc.record({
      do: fc.constant("publish" as const),
      name,
      what: fc.oneof(content, fc.integer({ min: 1, max: 4 })),
      stages: fc.integer({ min: 0, max: 3 }),
      bakes: fc.boolean(),
      abortPlan: fc.boolean(),
    }),
    fc.record({
      do: fc.constant("advance" as const),
      name,
      cause: fc.constantFrom("by_hand" as const, "bake_over" as const),
      stage: fc.constantFrom(1, 1, 1, 2),
    }),
    fc.record({
      do: fc.constant("pause" as const),
      name,
      stage: fc.constantFrom(1, 1, 2),
      on_timeout: fc.constantFrom("abort" as const, "resume" as const),
    }),
    fc.record({ do: fc.constant("resume" as const), name }),
    fc.record({ do: fc.constant("end_pause" as const), name }),
    fc.record({ do: fc.constant("abort" as const), name }),
    fc.record({
      do: fc.constant("ask" as const),
      name,
      version: fc.integer({ min: 1, max: 4 }),
      edit: fc.boolean(),
    }),
    fc.record({ do: fc.constant("execute" as const), name }),
    fc.record({ do: fc.constant("bundle" as const), name, content, released: fc.boolean() }),
  ),
  { maxLength: 60, size: "max" },
);

/** Applies a step to the model; false when it must be refused (and then nothing has changed). */
function stepModel(
  model: Map<string, ModelConfig>,
  step: Exclude<Step, { do: "ask" | "execute" }>,
  nowMs: number,
): boolean {
  const config = model.get(step.name);
  if (step.do === "bundle") return stepBundle(model, step);
  if (step.do === "create") {
    if (config !== undefined || (step.max !== null && model.size >= step.max)) return false;
    const rules = step.release ? [{ label: "", version: 1 }] : [];
    model.set(step.name, { ...emptyConfig(), versions: [step.content], rules, keeps: step.keeps });
    return true;
  }
  if (config === undefined) return false;
  if (step.do === "delete") return model.delete(step.name);
  if (step.do === "retention") {
    config.keeps = step.keeps;
    return true;
  }
  if (step.do === "prune") return stepPrune(config, step.versions);
  if (step.do === "batch") return stepBatch(model, config, step);
  if (step.do === "version") return config.versions.push(step.content) > 0;
  if (step.do !== "rules" && step.do !== "rollback") return stepPlan(config, step, nowMs);
  if (config.plan !== null && !step.abortPlan) return false;
  const exists = (version: number): boolean => isThere(config, version);
  if (step.do === "rules") {
    const labels = step.rules.map((r) => r.label);
    if (new Set(labels).size < labels.length || !step.rules.every((r) => exists(r.version))) return false;
    config.rules = step.rules;
  } else {
    if (!exists(step.version)) return false;
    setDefault(config, step.version);
  }
  config.plan = null;
  return true;
}

/** The same for change requests; every other step that is done makes those of its config stale. */
function stepAsked(
  model: Map<string, ModelConfig>,
  asked: Asked,
  step: Step,
  at: { nowMs: number; index: number },
): boolean {
  const before = asked.get(step.name);
  const config = model.get(step.name);
  if (step.do === "ask") {
    if (config === undefined) return false;
    const id = step.edit && before !== undefined ? before.id : `chr-c1-${at.index}`;
    asked.set(step.name, { id, version: step.version, stale: false });
    config.asked[id] = step.version;
    return true;
  }
  if (step.do === "execute") {
    if (before === undefined || before.stale || config === undefined || config.plan !== null) return false;
    if (!isThere(config, before.version)) return false;
    setDefault(config, before.version);
    delete config.asked[before.id];
    return asked.delete(step.name);
  }
  if (!stepModel(model, step, at.nowMs)) return false;
  // Whether a bundle leaves a config as it was looked at is more than this model knows: what was asked is forgotten.
  if (step.do === "delete" || step.do === "bundle") asked.delete(step.name);
  else if (before !== undefined && step.do !== "prune") asked.set(step.name, { ...before, stale: true });
  return true;
}

/** With every flag set: the config is as the bundle says, whoever made it. */
function stepBundle(model: Map<string, ModelConfig>, step: Extract<Step, { do: "bundle" }>): boolean {
  const config = model.get(step.name) ?? emptyConfig();
  model.set(step.name, config);
  Object.assign(config, { keeps: 1, bundled: step.content });
  if (config.versions.at(-1) !== step.content) config.versions.push(step.content);
  if (!step.released) return true;
  const [only] = config.rules;
  const isSame =
    config.rules.length === 1 && only?.label === "" && config.versions[only.version - 1] === step.content;
  if (isSame) return true;
  config.rules = [{ label: "", version: config.versions.length }];
  config.plan = null;
  return true;
}

/** A new version becomes the default of one config, an old one of another: both, or neither. */
function stepBatch(
  model: Map<string, ModelConfig>,
  config: ModelConfig,
  step: Extract<Step, { do: "batch" }>,
): boolean {
  const other = model.get(step.other);
  if (other === undefined || other === config || !isThere(other, step.version)) return false;
  if ((config.plan !== null || other.plan !== null) && !step.abortPlan) return false;
  setDefault(config, config.versions.push(step.content));
  setDefault(other, step.version);
  config.plan = null;
  other.plan = null;
  return true;
}

function stepPlan(config: ModelConfig, step: PlanStep, nowMs: number): boolean {
  const { plan } = config;
  if (step.do === "publish") return beginPlan(config, step, nowMs);
  if (plan === null) return false;
  if (step.do === "abort") {
    config.plan = null;
    return true;
  }
  if (step.do === "resume" || step.do === "end_pause") {
    if (plan.pausedAtMs === null || (step.do === "end_pause" && nowMs < plan.pausedAtMs + PAUSE_MS))
      return false;
    if (step.do === "end_pause" && plan.on_timeout === "abort") config.plan = null;
    Object.assign(plan, {
      pausedMs: plan.pausedMs + nowMs - plan.pausedAtMs,
      pausedAtMs: null,
      on_timeout: "abort",
    });
    return true;
  }
  if (plan.pausedAtMs !== null || step.stage !== plan.stage) return false;
  if (step.do === "pause") {
    Object.assign(plan, { pausedAtMs: nowMs, on_timeout: step.on_timeout });
    return true;
  }
  const bakedAtMs = plan.startedAtMs + plan.pausedMs + BAKE_MS;
  if (step.cause === "bake_over" && (!plan.bakes || nowMs < bakedAtMs)) return false;
  if (plan.stage < plan.stages)
    Object.assign(plan, { stage: plan.stage + 1, startedAtMs: nowMs, pausedMs: 0 });
  else endFull(config, plan);
  return true;
}

function beginPlan(config: ModelConfig, step: Extract<Step, { do: "publish" }>, nowMs: number): boolean {
  if (config.plan !== null && !step.abortPlan) return false;
  if (typeof step.what === "number" && !isThere(config, step.what)) return false;
  const version = typeof step.what === "number" ? step.what : config.versions.push(step.what);
  const plan: ModelPlan = {
    version,
    previous: config.rules.find((r) => r.label === "")?.version ?? null,
    stage: 1,
    stages: step.stages,
    bakes: step.bakes,
    startedAtMs: nowMs,
    pausedMs: 0,
    pausedAtMs: null,
    on_timeout: "abort",
  };
  config.plan = plan;
  if (step.stages === 0) endFull(config, plan);
  return true;
}

function endFull(config: ModelConfig, { version, previous }: ModelPlan): void {
  setDefault(config, version);
  const replaced = previous === null || previous === version ? [] : [previous];
  const others = config.deprecated.filter((old) => old !== version && old !== previous);
  config.deprecated = [...others, ...replaced].toSorted((a, b) => a - b);
  config.plan = null;
}

function setDefault(config: ModelConfig, version: number): void {
  const at = config.rules.findIndex((r) => r.label === "");
  config.rules = config.rules.filter((_, i) => i !== at);
  config.rules.splice(at < 0 ? config.rules.length : at, 0, { label: "", version });
}

function toCommand(
  step: Step,
  ids: ReadonlyMap<string, string>,
  plans: ReadonlyMap<string, string>,
  asked: Asked,
  state: MemoryState,
  pausedAt: number,
): Command {
  const config_id = ids.get(step.name) ?? "cfg-c1-none";
  const publish_id = plans.get(step.name) ?? "pub-c1-none";
  switch (step.do) {
    case "create": {
      const releases = step.release ? [testRule(1)] : [];
      const payload = testConfigPayload(step.name, step.content.repeat(64), {
        releases,
        retention: step.keeps === null ? null : { count: step.keeps },
        ...(step.max === null ? {} : { max_configs: step.max }),
      });
      const idempotency = step.key === null ? null : { scope: `k${step.key}`, digest: JSON.stringify(step) };
      return testCommand("create_config", payload, { idempotency });
    }
    case "version":
      return testCommand("create_version", {
        config_id,
        content: { attachment: 0, sha256: step.content.repeat(64) },
        format: null,
        schema: null,
        description: "",
      });
    case "rules": {
      const releases = step.rules.map((r) => testRule(r.version, r.label === "" ? {} : { l: r.label }));
      return testCommand("put_releases", { config_id, releases, abort_plan: step.abortPlan });
    }
    case "rollback":
      return testCommand("rollback", { config_id, version_id: step.version, abort_plan: step.abortPlan });
    case "retention": {
      const retention = step.keeps === null ? null : { count: step.keeps };
      return testCommand("set_retention", { config_id, retention });
    }
    case "prune": {
      const versions = step.versions.map((version_id) => {
        const row = state.json(stateKey.version(config_id, version_id)) as ConfigVersion | undefined;
        return { version_id, sha256: row?.sha256 ?? "f".repeat(64) };
      });
      return testCommand("prune_versions", { config_id, versions, archive: "archive" });
    }
    case "batch": {
      const one = { expected_revision: null, schema: null, description: "", releases: null };
      const fresh = { attachment: 0, sha256: step.content.repeat(64) };
      return testCommand("batch_releases", {
        items: [
          { ...one, config_id, content: fresh, default_version_id: "new" },
          {
            ...one,
            config_id: ids.get(step.other) ?? "cfg-c1-none",
            content: null,
            default_version_id: step.version,
          },
        ],
        abort_plan: step.abortPlan,
      });
    }
    case "publish": {
      const { what, stages, bakes } = step;
      const bake_minutes = bakes ? BAKE_MS / 60_000 : null;
      return testCommand("start_publish", {
        config_id,
        content: typeof what === "string" ? { attachment: 0, sha256: what.repeat(64) } : null,
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
          bake_minutes,
        })),
      });
    }
    case "advance":
      return testCommand("advance_publish", { publish_id, expected_stage: step.stage, cause: step.cause });
    case "pause":
      return testCommand("pause_publish", {
        publish_id,
        expected_stage: step.stage,
        minutes: PAUSE_MS / 60_000,
        on_timeout: step.on_timeout,
      });
    case "end_pause":
      return testCommand("end_pause", { publish_id, paused_at_ms: pausedAt });
    case "abort":
      return testCommand("abort_publish", { publish_id });
    case "resume":
      return testCommand("resume_publish", { publish_id });
    case "ask": {
      const input = {
        config_id,
        config_revision: (state.json(stateKey.config(config_id)) as Config | undefined)?.revision ?? 1,
        operation: { kind: "rollback" as const, payload: { config_id, version_id: step.version } },
        description: "",
      };
      const { id } = asked.get(step.name) ?? {};
      return step.edit && id !== undefined
        ? testCommand("edit_change", { ...input, change_request_id: id })
        : testCommand("request_change", input);
    }
    case "execute": {
      const change_request_id = asked.get(step.name)?.id ?? "chr-c1-none";
      const request = state.json(stateKey.changeRequest(change_request_id)) as ChangeRequest | undefined;
      const digest = request?.digest ?? "0".repeat(64);
      return testCommand("execute_change", { change_request_id, digest });
    }
    case "bundle":
      return bundleCommand(step);
    default:
      return testCommand("delete_config", { config_id });
  }
}

function bundleCommand({ name: called, content: text, released }: Extract<Step, { do: "bundle" }>): Command {
  const entry = {
    app: "shop",
    env: "prod",
    name: called,
    format: "json" as const,
    content: { attachment: 0, sha256: text.repeat(64) },
    schema: null,
    description: "first",
    retention: { count: 1 },
    versions: [],
    releases: released ? [{ labels: {}, priority: 0, version: "bundle" }] : null,
  };
  const flags = { prune: false, adopt: true, force: true, abort_plan: true, if_plan: null };
  return testCommand("apply_bundle", { bundle_id: "git", configs: [entry], ...flags });
}

/** The model's view of the real state. */
function readModel(state: MemoryState): Map<string, ModelConfig> {
  const model = new Map<string, ModelConfig>();
  for (const { value } of scanAll(state, "c/")) {
    const config = value as Config;
    model.set(config.name, {
      versions: Array.from({ length: config.latest_version_id }, (_, i) => {
        const row = state.json(stateKey.version(config.id, i + 1)) as ConfigVersion | undefined;
        return row?.sha256.slice(0, 1) ?? null;
      }),
      bundled: config.bundle?.content?.slice(0, 1) ?? null,
      asked: readAsked(state, config.id),
      rules: config.releases
        .filter((r) => r.publish_id === undefined)
        .map((r) => ({ label: r.labels["l"] ?? "", version: r.version_id })),
      plan: readPlan(state, config),
      keeps: config.retention?.count ?? null,
      deprecated: [...scanAll(state, `v/${config.id}/`)].flatMap(({ value: row }) => {
        const { version_id, deprecated_at_ms } = row as ConfigVersion;
        return deprecated_at_ms === undefined ? [] : [version_id];
      }),
    });
  }
  return model;
}

function readAsked(state: MemoryState, configId: string): Record<string, number> {
  const rows = [...scanAll(state, stateKey.changeRequestPrefix)].map(({ value }) => value as ChangeRequest);
  return Object.fromEntries(
    rows.flatMap(({ id, state: stands, config_id, operation }) =>
      stands === "open" && config_id === configId && operation.kind === "rollback"
        ? [[id, operation.payload.version_id]]
        : [],
    ),
  );
}

function readPlan(state: MemoryState, config: Config): ModelPlan | null {
  const owned = config.releases.filter((r) => r.publish_id !== undefined);
  if (owned.length === 0) return null;
  const plan = state.json(stateKey.publish(owned[0]?.publish_id ?? "")) as PublishPlan;
  const stage = plan.stages[plan.stage - 1];
  expect(owned.map(({ labels }) => labels["l"])).toEqual(["x", "y", "z"].slice(0, plan.stage));
  return {
    version: plan.version_id,
    previous: plan.previous_version_id,
    stage: plan.stage,
    stages: plan.stages.length,
    bakes: stage?.bake_minutes !== null,
    startedAtMs: stage?.started_at_ms ?? Number.NaN,
    pausedMs: stage?.paused_ms ?? 0,
    pausedAtMs: plan.pause?.started_at_ms ?? null,
    on_timeout: plan.pause?.on_timeout ?? "abort",
  };
}

it("A6 C1 C2 C4 C6 C7 C10 C12 C13 C14 P4 P5 P6 any sequence of commands does what a simple model says, and keeps the invariants", () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const state = new MemoryState();
      const model = new Map<string, ModelConfig>();
      const ids = new Map<string, string>();
      const plans = new Map<string, string>();
      const keys = new Map<number, string>();
      const asked: Asked = new Map();
      const feed: FeedEntry[] = [];
      for (const [i, step] of sequence.entries()) {
        const { changes, feedEntry, outcome } = applyCommand({
          state,
          command: toCommand(step, ids, plans, asked, state, model.get(step.name)?.plan?.pausedAtMs ?? 0),
          attachments: [new Uint8Array([1])],
          index: i + 1,
          prevFeedIndex: feed.at(-1)?.index ?? 0,
          timestampMs: i * STEP_MS,
          clusterId: "c1",
          epoch: 1,
        });
        state.apply(changes);
        if (feedEntry !== null) feed.push(feedEntry);
        const used = step.do === "create" && step.key !== null ? keys.get(step.key) : undefined;
        if (used !== undefined) {
          expect(outcome).toMatchObject(
            used === JSON.stringify(step) ? { ok: true, replayed: true } : { code: "idempotency_conflict" },
          );
          expect(changes).toEqual([]);
        } else {
          const wanted = stepAsked(model, asked, step, { nowMs: i * STEP_MS, index: i + 1 });
          expect([step.do, outcome.ok]).toEqual([step.do, wanted]);
          // A bundle that is applied already is no entry of the feed, and neither is a removal of nothing.
          if (step.do !== "bundle" && step.do !== "prune") expect(feedEntry !== null).toBe(wanted);
          if (!wanted) expect(changes).toEqual([]);
          else if (step.do === "create") {
            ids.set(step.name, `cfg-c1-${i + 1}`);
            if (step.key !== null) keys.set(step.key, JSON.stringify(step));
          } else if (step.do === "delete") ids.delete(step.name);
          else if (step.do === "bundle") ids.set(step.name, ids.get(step.name) ?? `cfg-c1-${i + 1}-0`);
          else if (step.do === "publish") {
            plans.set(step.name, publishIdOf(ids.get(step.name) ?? "", i + 1));
          }
        }
        expect(checkInvariants(state)).toEqual([]);
        expect(readModel(state)).toEqual(model);
      }
      feed.forEach((entry, i) => expect(entry.prev_index).toBe(feed[i - 1]?.index ?? 0));
    }),
    { numRuns: 200 },
  );
});
