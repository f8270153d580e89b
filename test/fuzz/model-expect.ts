/** What a step is answered, and what it makes of the model. */
import type { ErrorCode } from "../../contracts/problem/error-codes.ts";
import { expectDryApply, isUnfit, performApply } from "./model-bundles.ts";
import { expectAsk, expectEdit, expectSettle, isAsPlanned } from "./model-changes.ts";
import { needsApproval } from "./model-guard.ts";
import { type ConfigStep, perform, publish, putRules } from "./model-perform.ts";
import { type ModelRequest, planOf, wrongRequest } from "./model-requests.ts";
import { type Expected, type Json, refused, shownConfig, shownPlan } from "./model-shown.ts";
import {
  advancePlan,
  endPlan,
  isFit,
  type ModelConfig,
  type ModelPlan,
  type ModelState,
  planStatus,
  runningPlan,
  schemaOf,
  setDefault,
} from "./model-state.ts";
import { serve } from "./model-serve.ts";
import { CHANGE_KINDS, type Step, type StepOf } from "./model-steps.ts";
import { fits } from "./model-values.ts";

/** What a request asks for, beside where: another one under the same key is a conflict. */
export const askedOf = ({ query, body }: ModelRequest): string => JSON.stringify([query, body ?? ""]);
/** Under which an answer is kept. */
export const keptUnder = ({ user, method, path, key }: ModelRequest): string =>
  `${user} ${method} ${path} ${key ?? ""}`;

/** Takes a step. What is refused leaves the model as it is. */
export function expectStep(state: ModelState, step: Step, request: ModelRequest): Expected {
  switch (step.do) {
    case "wrong":
      return refused(wrongRequest(step.request)[3] as ErrorCode);
    case "create":
      if (!fits(step.content, step.format, step.hasSchema ? "int" : null))
        return refused("validation_failed");
      return repeated(state, request) ?? refusedByPolicy(state, step) ?? expectCreate(state, step);
    case "move":
      return expectMove(state, step, request);
    case "batch":
      return expectBatch(state, step, request);
    case "apply":
      return expectApply(state, step, request);
    case "policy":
      return expectPolicy(state, step);
    case "ask":
      return expectAsk(state, step);
    case "edit":
      return expectEdit(state, step);
    case "settle":
      return repeated(state, request) ?? expectSettle(state, step);
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

/** Before an operation sees it, and after what the API asks by itself. */
function refusedByPolicy(state: ModelState, step: Step): Expected | null {
  return needsApproval(state, step) ? refused("approval_required") : null;
}

function expectCreate(state: ModelState, step: StepOf<"create">): Expected {
  if (state.configs.has(step.slot)) return refused("already_exists");
  const config: ModelConfig = {
    id: "",
    etag: "",
    format: step.format,
    hasSchema: step.hasSchema,
    isEncrypted: step.isEncrypted,
    retention: step.retention,
    versions: [{ content: step.content, format: step.format, schema: null, isDeprecated: false }],
    rules: [],
    plans: [],
    owner: null,
  };
  if (typeof step.release === "object") {
    if (!putRules(config, step.release)) return refused("validation_failed");
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

/** What refuses a write before the log is asked: the config, its `If-Match` when that is no ETag of ours, its content. */
function expectOfConfig(state: ModelState, step: ConfigStep, request: ModelRequest): Expected {
  const config = state.configs.get(step.slot);
  if (config === undefined) {
    // With a key the log is asked: it may remember.
    const isRemembered = state.gone.has(step.slot) && request.key !== null;
    return (isRemembered ? repeated(state, request) : null) ?? refused("not_found");
  }
  if (step.match === "other") return refused("precondition_failed");
  if (!isFit(step, config)) return refused("validation_failed");
  const before = repeated(state, request);
  if (before !== null) return before;
  if (step.do === "publish" && step.isDry) {
    return step.match === "stale" ? refused("precondition_failed") : expectPreview(state, config, step);
  }
  const guarded = refusedByPolicy(state, step);
  if (guarded !== null) return guarded;
  return step.match === "stale" ? refused("precondition_failed") : perform(state, step);
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
  const guarded = refusedByPolicy(state, step);
  if (guarded !== null) return guarded;
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
  return repeated(state, request) ?? refusedByPolicy(state, step) ?? perform(state, step);
}

/** A dry run needs no approval, tells of those that are missing, and remembers nothing. */
function expectApply(state: ModelState, step: StepOf<"apply">, request: ModelRequest): Expected {
  if (isUnfit(step)) return refused("validation_failed");
  if (step.isDry) return expectDryApply(state, step, needsApproval(state, step));
  const before = repeated(state, request);
  if (before !== null) return before;
  const codes: ErrorCode[] = [];
  if (needsApproval(state, step)) codes.push("approval_required");
  if (step.asPlanned && !isAsPlanned(state, step)) codes.push("precondition_failed");
  if (codes.length === 0) return performApply(state, step);
  const trial = performApply(structuredClone(state), step);
  return refused(...codes, ...(trial.kind === "refused" ? trial.codes : []));
}

/** Replaces the tenant's rules; those of other namespaces are nothing to this run. */
function expectPolicy(state: ModelState, { required, appliesTo }: StepOf<"policy">): Expected {
  const kinds = appliesTo ?? CHANGE_KINDS.filter((kind) => kind !== "versions");
  state.policy = { required, appliesTo: kinds };
  const approvals = required === 0 ? [] : [{ approvals_required: required }];
  return { kind: "written", status: 200, learn: () => undefined, fields: () => ({ approvals }) };
}
