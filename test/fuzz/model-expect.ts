/** What a step is answered, and what it makes of the model. */
import type { ErrorCode } from "../../contracts/problem/error-codes.ts";
import { type ModelRequest, planOf, wrongRequest } from "./model-requests.ts";
import {
  advancePlan,
  areWrong,
  beginPlan,
  endPlan,
  keepRule,
  type KeptAnswer,
  type ModelConfig,
  type ModelPlan,
  type ModelState,
  namesOf,
  planStatus,
  runningPlan,
  schemaOf,
  setDefault,
  shownRule,
  stagesOf,
} from "./model-state.ts";
import { serve } from "./model-serve.ts";
import type { BatchStepItem, Step, StepRule } from "./model-steps.ts";
import { fits, type ModelFormat, STRATEGIES } from "./model-values.ts";

export type Json = Record<string, unknown>;
export type Expected =
  | { kind: "refused"; code: ErrorCode }
  | { kind: "replayed"; kept: KeptAnswer }
  | { kind: "read"; status: number; fields: () => Json }
  /** `learn` takes ids and ETags from the answer; `fields` are what it must have then. */
  | { kind: "written"; status: number; learn: (answer: Json) => void; fields: () => Json };

const refused = (code: ErrorCode): Expected => ({ kind: "refused", code });
type StepOf<K extends Step["do"]> = Extract<Step, { do: K }>;
type ConfigStep = StepOf<"version" | "rules" | "rollback" | "delete" | "retention" | "publish">;

/** What a request asks for, beside where: another one under the same key is a conflict. */
export const askedOf = ({ query, body }: ModelRequest): string => JSON.stringify([query, body ?? ""]);
/** Under which an answer is kept. */
export const keptUnder = ({ method, path, key }: ModelRequest): string => `${method} ${path} ${key ?? ""}`;

/** Takes a step. What is refused leaves the model as it is. */
export function expectStep(state: ModelState, step: Step, request: ModelRequest): Expected {
  switch (step.do) {
    case "wrong":
      return refused(wrongRequest(step.request)[3] as ErrorCode);
    case "create":
      if (!fits(step.content, step.format, step.hasSchema ? "int" : null))
        return refused("validation_failed");
      return repeated(state, request) ?? expectCreate(state, step);
    case "move":
      return expectMove(state, step, request);
    case "batch":
      return expectBatch(state, step, request);
    default:
      return expectOfConfig(state, step, request);
  }
}

/** An answer from memory, when the request bears a key that was used; null when it is a new one. */
function repeated(state: ModelState, request: ModelRequest): Expected | null {
  const kept = request.key === null ? undefined : state.kept.get(keptUnder(request));
  if (kept === undefined) return null;
  return kept.asked === askedOf(request) ? { kind: "replayed", kept } : refused("idempotency_conflict");
}

function expectCreate(state: ModelState, step: StepOf<"create">): Expected {
  if (state.configs.has(step.slot)) return refused("already_exists");
  const config: ModelConfig = {
    id: "",
    etag: "",
    format: step.format,
    hasSchema: step.hasSchema,
    retention: step.retention,
    versions: [{ content: step.content, format: step.format, isDeprecated: false }],
    rules: [],
    plans: [],
  };
  if (typeof step.release === "object") {
    if (!putRules(config, step.release, null)) return refused("validation_failed");
  } else if (step.release === "default") setDefault(config, 1);
  state.configs.set(step.slot, config);
  return {
    kind: "written",
    status: 201,
    learn: (answer) => {
      config.id = String(answer["id"]);
      config.etag = String(answer["etag"]);
    },
    fields: () => ({ ...shownConfig(state, step.slot, config), latest_version_id: 1 }),
  };
}

/** False, and nothing has changed, for a list that is refused. */
function putRules(config: ModelConfig, rules: readonly StepRule[], fresh: number | null): boolean {
  const kept = rules.map((rule) => keepRule(rule, fresh));
  if (areWrong(rules, kept, config.versions.length)) return false;
  endPlan(config);
  config.rules = kept;
  return true;
}

/** A config as answers and lists show it, but for what only the log knows. */
export function shownConfig(state: ModelState, name: string, config: ModelConfig): Json {
  const { tenant, app, env, regions } = state;
  return {
    id: config.id,
    etag: config.etag,
    namespace: { tenant, app, env },
    name,
    format: config.format,
    encrypted: false,
    retention: config.retention === null ? null : { count: config.retention },
    latest_version_id: config.versions.length,
    releases: config.rules.map((rule) => shownRule(rule, config, regions)),
  };
}

/** What refuses a write before the log is asked: the config, its `If-Match` when that is no ETag of ours, its content. */
function expectOfConfig(state: ModelState, step: ConfigStep, request: ModelRequest): Expected {
  const config = state.configs.get(step.slot);
  const isDry = step.do === "publish" && step.isDry;
  if (config === undefined) {
    // With a key the log is asked: it may remember.
    const isRemembered = state.gone.has(step.slot) && request.key !== null;
    return (isRemembered ? repeated(state, request) : null) ?? refused("not_found");
  }
  if (step.match === "other") return refused("precondition_failed");
  const content = contentOf(step, config);
  if (content !== null && !content.isFit) return refused("validation_failed");
  const before = repeated(state, request);
  if (before !== null) return before;
  if (step.match === "stale") return refused("precondition_failed");
  if (isDry) return expectPreview(state, config, step);
  return writeConfig(state, config, step);
}

function contentOf(step: ConfigStep, config: ModelConfig): { format: ModelFormat; isFit: boolean } | null {
  if (step.do === "version") {
    const format = step.format ?? config.format;
    return { format, isFit: fits(step.content, format, schemaOf(config, step.schema)) };
  }
  if (step.do !== "publish" || typeof step.what !== "string") return null;
  return { format: config.format, isFit: fits(step.what, config.format, schemaOf(config, null)) };
}

function writeConfig(state: ModelState, config: ModelConfig, step: ConfigStep): Expected {
  const isHeld = "abort" in step && !step.abort && runningPlan(config) !== null;
  if (isHeld) return refused("publish_running");
  const learn = (answer: Json): void => void (config.etag = String(answer["etag"]));
  const shown = (): Json => shownConfig(state, step.slot, config);
  switch (step.do) {
    case "version": {
      const format = step.format ?? config.format;
      config.versions.push({ content: step.content, format, isDeprecated: false });
      const version_id = config.versions.length;
      const content_hash = `sha256:${state.hashes[step.content] ?? ""}`;
      return {
        kind: "written",
        status: 201,
        learn,
        fields: () => ({ version_id, config_id: config.id, format, content_hash, encrypted: false }),
      };
    }
    case "rules":
      if (!putRules(config, step.rules, null)) return refused("validation_failed");
      return { kind: "written", status: 200, learn, fields: () => ({ releases: shown()["releases"] }) };
    case "rollback":
      if (step.version > config.versions.length) return refused("validation_failed");
      endPlan(config);
      setDefault(config, step.version);
      return { kind: "written", status: 200, learn, fields: shown };
    case "retention":
      config.retention = step.count;
      return { kind: "written", status: 200, learn, fields: shown };
    case "publish":
      return expectPublish(state, config, step);
    default:
      state.configs.delete(step.slot);
      state.gone.set(step.slot, { id: config.id, plans: config.plans.map(({ id }) => id) });
      return { kind: "written", status: 200, learn: () => undefined, fields: () => ({ id: config.id }) };
  }
}

/** Makes the version and the plan; null when they are refused, and then the config must be thrown away. */
function publish(config: ModelConfig, { what, strategy }: StepOf<"publish">): ModelPlan | null {
  if (STRATEGIES[strategy]?.isRefused === true) return null;
  if (typeof what === "number" && what > config.versions.length) return null;
  endPlan(config);
  const version =
    typeof what === "number"
      ? what
      : config.versions.push({ content: what, format: config.format, isDeprecated: false });
  return beginPlan(config, version, strategy);
}

function expectPublish(state: ModelState, config: ModelConfig, step: StepOf<"publish">): Expected {
  const plan = publish(config, step);
  if (plan === null) return refused("validation_failed");
  const learn = (answer: Json): void => {
    plan.id = String(answer["publish_id"]);
    plan.etag = String(answer["etag"]);
    // Which ETag the config has is told by its list alone.
    config.etag = "";
  };
  return { kind: "written", status: 202, learn, fields: () => shownPlan(state, config, plan) };
}

/** A plan as answers and lists show it, but for times. */
export function shownPlan(state: ModelState, config: ModelConfig, plan: ModelPlan): Json {
  const isRunning = plan.state === "baking" || plan.state === "paused";
  return {
    publish_id: plan.id,
    config_id: config.id,
    version_id: plan.version,
    previous_version_id: plan.previous,
    strategy: STRATEGIES[plan.strategy]?.type,
    status: planStatus(plan),
    stage: isRunning ? (stagesOf(plan)[plan.stage - 1]?.name ?? null) : null,
    stages: stagesOf(plan).map(({ name, regions }) => ({
      name,
      regions: regions === undefined ? null : namesOf(regions, state.regions),
    })),
  };
}

/** Before the plan, in each stage and at the end: in each region for a client without labels. */
function expectPreview(state: ModelState, config: ModelConfig, step: StepOf<"publish">): Expected {
  if (!step.abort && runningPlan(config) !== null) return refused("publish_running");
  const trial = structuredClone(config);
  const served = (status: string) => ({
    status,
    served: state.regions.map((name, region) => ({
      region: name,
      labels: {},
      version_id: serve(trial, { labels: {}, region })?.version ?? null,
    })),
  });
  const steps = [served("before")];
  const plan = publish(trial, step);
  if (plan === null) return refused("validation_failed");
  steps.push(served(planStatus(plan)));
  while (plan.state !== "full") {
    advancePlan(trial, plan);
    steps.push(served(planStatus(plan)));
  }
  return { kind: "read", status: 200, fields: () => ({ dry_run: true, version_id: plan.version, steps }) };
}

function expectMove(state: ModelState, step: StepOf<"move">, request: ModelRequest): Expected {
  const config = state.configs.get(step.slot);
  const plan = config?.plans.at(step.which === "oldest" ? 0 : -1);
  if (config === undefined || plan === undefined) {
    const isRemembered = planOf(state, step).isGone && request.key !== null;
    return (isRemembered ? repeated(state, request) : null) ?? refused("not_found");
  }
  if (step.match === "other") return refused("precondition_failed");
  const before = repeated(state, request);
  if (before !== null) return before;
  if (step.match === "stale") return refused("precondition_failed");
  if (!mayMove(plan, step.move)) return refused("invalid_transition");
  if (step.move === "advance") advancePlan(config, plan);
  else if (step.move === "abort") endPlan(config);
  else plan.state = step.move === "pause" ? "paused" : "baking";
  const learn = (answer: Json): void => {
    plan.etag = String(answer["etag"]);
    if (step.move === "advance" || step.move === "abort") config.etag = "";
  };
  return { kind: "written", status: 200, learn, fields: () => shownPlan(state, config, plan) };
}

function mayMove({ state }: ModelPlan, move: StepOf<"move">["move"]): boolean {
  if (move === "abort") return state === "baking" || state === "paused";
  return state === (move === "resume" ? "paused" : "baking");
}

/** First what the API asks of each item in turn, then what the log says of them all. */
function expectBatch(state: ModelState, step: StepOf<"batch">, request: ModelRequest): Expected {
  for (const { slot, content } of step.items) {
    const config = state.configs.get(slot);
    if (config === undefined) {
      if (request.key === null || !state.gone.has(slot)) return refused("not_found");
    } else if (content !== null && !fits(content, config.format, schemaOf(config, null))) {
      return refused("validation_failed");
    }
  }
  const before = repeated(state, request);
  if (before !== null) return before;
  const slots = step.items.map(({ slot }) => slot);
  if (new Set(slots).size < slots.length) return refused("validation_failed");
  const changed = new Map(structuredClone([...state.configs]));
  for (const item of step.items) {
    const config = changed.get(item.slot);
    if (config === undefined) return refused("not_found");
    const code = changeByItem(config, item, step.abort);
    if (code !== null) return refused(code);
  }
  state.configs = changed;
  const done = step.items.map((item) => ({ item, config: changed.get(item.slot) }));
  return {
    kind: "written",
    status: 200,
    learn: (answer) => {
      const items = answer["items"] as Json[];
      for (const [i, { config }] of done.entries()) {
        if (config !== undefined) config.etag = String(items[i]?.["etag"]);
      }
    },
    fields: () => ({
      items: done.map(({ item, config }) => ({
        ...(config && shownConfig(state, item.slot, config)),
        version: item.content === null ? null : { version_id: config?.versions.length },
      })),
    }),
  };
}

function changeByItem(config: ModelConfig, item: BatchStepItem, abort: boolean): ErrorCode | null {
  const { content, to } = item;
  if (content !== null) {
    if (item.match === "stale") return "precondition_failed";
    config.versions.push({ content, format: config.format, isDeprecated: false });
  }
  const fresh = content === null ? null : config.versions.length;
  const asksNew = typeof to === "object" ? to.some(({ version }) => version === "new") : to === "new";
  if (asksNew && fresh === null) return "validation_failed";
  if (item.match === "stale") return "precondition_failed";
  if (!abort && runningPlan(config) !== null) return "publish_running";
  if (typeof to === "object") return putRules(config, to, fresh) ? null : "validation_failed";
  const version = to === "new" ? (fresh ?? 0) : to;
  if (version > config.versions.length) return "validation_failed";
  endPlan(config);
  setDefault(config, version);
  return null;
}
