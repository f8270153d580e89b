import { type ModelConfig, type ModelState, namesOf, runningPlan, sentRule } from "./model-state.ts";
import type { BatchStepItem, Match, Step } from "./model-steps.ts";
import {
  CONTENTS,
  INT_SCHEMA,
  LOOSE_SCHEMA,
  type ModelStage,
  STRATEGIES,
  WRONG_REQUESTS,
} from "./model-values.ts";

/** No plan, no config and no version of an ETag has it. */
const NONE = { config: "cfg-c1-999999999", plan: "pub-c1-999999999", etag: '"999999999"', other: '"abc"' };

export interface ModelRequest {
  method: string;
  /** Below /api/v1. */
  path: string;
  query: string;
  /** As it is sent. */
  body: string | undefined;
  headers: Record<string, string>;
  key: string | null;
}

/** The step with its config named: a move of a plan that runs is of the first config that has one, if any. */
export function aim(state: ModelState, step: Step): Step {
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
    const key =
      step.key === null || (step.do === "publish" && step.isDry) ? null : `${state.app}-${step.key}`;
    const tag = step.do === "move" ? planOf(state, step).etag : config?.etag;
    return {
      method,
      path,
      query,
      key,
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

const takesMatch = (step: Step): boolean => step.do !== "create" && step.do !== "batch";

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
  const { tenant, app, env } = state;
  const { release } = step;
  return {
    tenant,
    app,
    env,
    name: step.slot,
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
