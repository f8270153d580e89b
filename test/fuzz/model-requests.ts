import { changeAt, digestFor, isOfSeveral } from "./model-changes.ts";
import { envOf, type ModelConfig, type ModelState, namesOf, runningPlan, sentRule } from "./model-state.ts";
import type { BatchStepItem, Match, Operation, Step, StepOf } from "./model-steps.ts";
import {
  CONTENTS,
  INT_SCHEMA,
  LOOSE_SCHEMA,
  type ModelStage,
  STRATEGIES,
  WRONG_REQUESTS,
} from "./model-values.ts";

/** No plan, no config and no version of an ETag has it. */
const NONE = {
  config: "cfg-c1-999999999",
  plan: "pub-c1-999999999",
  change: "chg-c1-999999999",
  etag: '"999999999"',
  other: '"abc"',
};

const CHANGES = "/mgt/change-requests";

export interface ModelRequest {
  method: string;
  /** Below /api/v1. */
  path: string;
  query: string;
  /** As it is sent. */
  body: string | undefined;
  headers: Record<string, string>;
  key: string | null;
  /** Position in the world's list of users. */
  user: number;
}

/**
 * The step with its config named: a move of a plan that runs is of the first config that has one, if any; a bundle of a plan is
 * that of the last dry run; an edited change request stays of its config, and is a new one when there is none.
 */
export function aim(state: ModelState, step: Step): Step {
  if (step.do === "apply" && step.asPlanned) {
    const { planned } = state;
    if (planned === null) return { ...step, asPlanned: false };
    return { ...planned.step, isDry: false, asPlanned: true, key: null };
  }
  if (step.do === "edit") {
    const change = changeAt(state, step.which);
    if (change === undefined) return { ...step, do: "ask" };
    if (isOfSeveral(change.of) || isOfSeveral(step.of)) return step;
    return { ...step, of: { ...step.of, slot: change.of.slot } };
  }
  if (step.do !== "move" || step.which !== "running") return step;
  const running = [...state.configs].find(([, config]) => runningPlan(config) !== null);
  return { ...step, which: "newest", slot: running?.[0] ?? step.slot };
}

/** The request that a step is, by ids and ETags as the model knows them. */
export function toRequest(state: ModelState, step: Step): ModelRequest {
  const config = state.configs.get(step.slot);
  const id = config?.id ?? state.gone.get(step.slot)?.id ?? NONE.config;
  const of = (method: string, path: string, body?: unknown, query = ""): ModelRequest => {
    // A dry run neither writes nor remembers. Keys for new configs are of all apps: a run has its own.
    const key = step.key === null || ("isDry" in step && step.isDry) ? null : `${state.app}-${step.key}`;
    const tag = step.do === "move" ? planOf(state, step).etag : config?.etag;
    return {
      method,
      path,
      query,
      key,
      user: "by" in step ? step.by : 0,
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key === null ? {} : { "x-idempotency-key": key }),
        ...(takesMatch(step) ? ifMatch(step.match, tag) : {}),
      },
    };
  };
  const abort = "abort" in step && step.abort ? "abort_plan=true" : "";
  switch (step.do) {
    case "create":
      return of("POST", "/mgt/configs", createBody(state, step));
    case "version": {
      const schema = step.schema === "int" ? INT_SCHEMA : LOOSE_SCHEMA;
      return of("POST", `/mgt/configs/${id}/versions`, {
        ...contentFields(step.content),
        ...(step.format === null ? {} : { format: step.format }),
        ...(step.schema === null ? {} : { schema }),
      });
    }
    case "rules": {
      const rules = step.rules.map((rule) => sentRule(rule, state.regions));
      return of("PUT", `/mgt/configs/${id}/releases`, rules, abort);
    }
    case "rollback":
      return of("POST", `/mgt/configs/${id}/rollback`, { version_id: step.version }, abort);
    case "delete":
      return of("DELETE", `/mgt/configs/${id}`);
    case "retention":
      return of("PUT", `/mgt/configs/${id}/retention`, step.count === null ? {} : { count: step.count });
    case "publish": {
      const query = [abort, step.isDry ? "dry_run=true" : ""].filter((part) => part !== "").join("&");
      return of("POST", `/mgt/configs/${id}/publish`, publishBody(state, step), query);
    }
    case "move":
      return of("POST", `/mgt/publishes/${planOf(state, step).id}/${step.move}`);
    case "batch": {
      const items = step.items.map((item) => batchItem(state, item));
      return of("POST", "/mgt/releases:batch", { items }, abort);
    }
    case "apply":
      return of("POST", "/mgt/apply", bundleBody(state, step), applyQuery(state, step));
    case "policy":
      return of("PUT", "/mgt/change-rules", policyBody(state, step), `tenant=${state.tenant}`);
    case "ask": {
      const body = { ...configIdOf(state, step.of), operation: operationBody(state, step.of) };
      return of("POST", CHANGES, body);
    }
    case "edit":
      return of("PUT", `${CHANGES}/${changeId(state, step)}`, { operation: operationBody(state, step.of) });
    case "settle": {
      const digest = digestFor(changeAt(state, step.which), step.digest);
      const body = step.settle === "approve" || step.settle === "execute" ? { digest } : {};
      return of("POST", `${CHANGES}/${changeId(state, step)}/${step.settle}`, body);
    }
    default: {
      const [method, path, body] = wrongRequest(step.request);
      return of(method, `/mgt/configs/${id}${path}`, body);
    }
  }
}

export function wrongRequest(at: number): (typeof WRONG_REQUESTS)[number] {
  const request = WRONG_REQUESTS[at];
  if (request === undefined) throw new Error(`there is no wrong request ${at}`);
  return request;
}

const MATCHED = ["version", "rules", "rollback", "delete", "retention", "publish", "move", "wrong"];
const takesMatch = (step: Step): boolean => MATCHED.includes(step.do);

function ifMatch(match: Match, etag: string | undefined): Record<string, string> {
  if (match === "none") return {};
  if (match === "star") return { "if-match": "*" };
  if (match === "other") return { "if-match": NONE.other };
  return { "if-match": match === "current" ? (etag ?? NONE.etag) : NONE.etag };
}

/** The plan that a step moves; one that is gone, or never was, has an id and no ETag. */
export function planOf(
  state: ModelState,
  step: Extract<Step, { do: "move" }>,
): { id: string; etag: string | undefined; isGone: boolean } {
  const at = step.which === "oldest" ? 0 : -1;
  const plan = state.configs.get(step.slot)?.plans.at(at);
  if (plan !== undefined) return { id: plan.id, etag: plan.etag, isGone: false };
  const gone = state.gone.get(step.slot)?.plans.at(at);
  return { id: gone ?? NONE.plan, etag: undefined, isGone: gone !== undefined };
}

/** One of them goes as base64. */
function contentFields(name: string): Record<string, string> {
  const text = CONTENTS[name]?.text ?? "";
  return name === "two" ? { content_base64: btoa(text) } : { content: text };
}

function createBody(state: ModelState, step: Extract<Step, { do: "create" }>) {
  const { tenant, app } = state;
  const { release } = step;
  return {
    tenant,
    app,
    env: envOf(step.slot),
    name: step.slot,
    ...(step.isEncrypted ? { encrypt: true } : {}),
    format: step.format,
    ...contentFields(step.content),
    ...(step.hasSchema ? { schema: INT_SCHEMA } : {}),
    ...(step.retention === null ? {} : { retention: { count: step.retention } }),
    ...(release === "default" ? { release: true } : {}),
    ...(typeof release === "string"
      ? {}
      : { releases: release.map((rule) => sentRule(rule, state.regions)) }),
  };
}

function publishBody(state: ModelState, step: Extract<Step, { do: "publish" }>) {
  const strategy = STRATEGIES[step.strategy];
  if (strategy === undefined) throw new Error(`there is no strategy ${step.strategy}`);
  const { type } = strategy;
  const stages = strategy.stages.map((stage) => sentStage(stage, state));
  return {
    ...(typeof step.what === "string" ? contentFields(step.what) : { version_id: step.what }),
    strategy: {
      type,
      ...(type === "canary" ? { canary_labels: strategy.stages[0]?.labels } : {}),
      ...(type === "staged" || type === "percentage" ? { stages } : {}),
    },
  };
}

function sentStage({ regions, ...stage }: ModelStage, state: ModelState) {
  return { ...stage, ...(regions === undefined ? {} : { regions: namesOf(regions, state.regions) }) };
}

function batchItem(state: ModelState, { slot, content, to, match }: BatchStepItem) {
  const config: ModelConfig | undefined = state.configs.get(slot);
  const etag = match === "current" ? (config?.etag ?? NONE.etag) : NONE.etag;
  return {
    config_id: config?.id ?? state.gone.get(slot)?.id ?? NONE.config,
    ...(match === "none" ? {} : { if_match: etag }),
    ...(content === null ? {} : contentFields(content)),
    ...(typeof to === "object"
      ? { releases: to.map((rule) => sentRule(rule, state.regions)) }
      : { default_version_id: to }),
  };
}

function applyQuery({ planned }: ModelState, step: StepOf<"apply">): string {
  const { prune, adopt, force, abort, isDry, asPlanned } = step;
  const flags = Object.entries({ prune, adopt, force, abort_plan: abort, dry_run: isDry });
  const set = flags.filter(([, isSet]) => isSet).map(([name]) => `${name}=true`);
  return [...set, ...(asPlanned && planned !== null ? [`if_plan=${planned.digest}`] : [])].join("&");
}

function bundleBody(state: ModelState, step: StepOf<"apply">) {
  const { tenant, app } = state;
  return {
    bundle: { id: `${app}-${step.bundle}`, tenant, app, env: "prod" },
    configs: step.entries.map(({ slot, content, format, hasSchema, retention, versions, rules }) => ({
      name: slot,
      ...(envOf(slot) === "prod" ? {} : { env: envOf(slot) }),
      format,
      ...contentFields(content),
      ...(hasSchema ? { schema: INT_SCHEMA } : {}),
      ...(retention === null ? {} : { retention: { count: retention } }),
      ...(versions.length === 0
        ? {}
        : { versions: versions.map((name) => ({ name, ...contentFields(name) })) }),
      ...(rules === null ? {} : { releases: rules.map((rule) => sentRule(rule, state.regions, "version")) }),
    })),
  };
}

function policyBody({ tenant, app }: ModelState, { required, appliesTo }: StepOf<"policy">) {
  const policy = {
    namespaces: `${tenant}/${app}/safe`,
    approvals_required: required,
    ...(appliesTo === null ? {} : { applies_to: appliesTo }),
  };
  return { approvals: required === 0 ? [] : [policy], freezes: [] };
}

function configIdOf(state: ModelState, of: Operation): { config_id?: string } {
  if (isOfSeveral(of)) return {};
  return { config_id: state.configs.get(of.slot)?.id ?? state.gone.get(of.slot)?.id ?? NONE.config };
}

const changeId = (state: ModelState, { which }: StepOf<"edit" | "settle">): string =>
  changeAt(state, which)?.id ?? NONE.change;

/** An operation in the words of a change request: the body of the route that does it at once. */
function operationBody(state: ModelState, of: Operation): unknown {
  const { body } = toRequest(state, of);
  const parsed: unknown = body === undefined ? undefined : JSON.parse(body);
  switch (of.do) {
    case "rules":
      return { type: "releases", releases: parsed, abort_plan: of.abort };
    case "rollback":
      return { type: "rollback", version_id: of.version, abort_plan: of.abort };
    case "batch":
      return { type: "batch", batch: parsed, abort_plan: of.abort };
    case "apply": {
      const { prune, adopt, force, abort } = of;
      return { type: "apply", apply: parsed, prune, adopt, force, abort_plan: abort };
    }
    case "delete":
      return { type: "delete" };
    default:
      return { type: of.do, [of.do]: parsed };
  }
}
