/** What a user believes the system holds, as plain objects. Nothing here comes from the code that is tested. */
import type { ChangeKind, Operation, Slot, StepOf, StepRule } from "./model-steps.ts";
import {
  CONDITIONS,
  fits,
  FLAWS,
  type ModelFormat,
  type ModelStage,
  type SchemaName,
  STRATEGIES,
} from "./model-values.ts";

/** Above all that a user may write (docs/publishing.md). */
const PLAN_PRIORITY = 1_000_001;

export interface ModelRule {
  labels: Record<string, string>;
  version: number;
  priority: number;
  /** Positions in CONDITIONS. */
  when: number[];
  percentage: { by: string; percent: number; salt?: string } | null;
  /** Positions in the world's list. */
  regions: number[] | null;
  /** Position in the config's plans; null for a rule of a user. */
  plan: number | null;
}
export interface ModelPlan {
  /** Empty until the answer has told it. */
  id: string;
  /** Empty when the next listing has to tell it. */
  etag: string;
  version: number;
  previous: number | null;
  strategy: string;
  state: "baking" | "paused" | "full" | "aborted" | "deprecated";
  /** From 1; 0 for a plan without stages. */
  stage: number;
  /** A change request began it: its moves need no approval. */
  isAsked?: true;
}
export interface ModelVersion {
  content: string;
  format: ModelFormat;
  /** Its own, which counts instead of the config's. */
  schema: SchemaName | null;
  /** Of the envelope, when the config is encrypted and a list has told it. */
  sealedHash?: string;
  isDeprecated: boolean;
}
export interface ModelConfig {
  id: string;
  /** Empty when the next listing has to tell it. */
  etag: string;
  format: ModelFormat;
  hasSchema: boolean;
  isEncrypted: boolean;
  retention: number | null;
  versions: ModelVersion[];
  rules: ModelRule[];
  plans: ModelPlan[];
  owner: ModelOwner | null;
}
/** The parts of a config that a bundle sets, each as a text to compare. */
export interface BundleParts {
  content: string;
  settings: string;
  releases: string | null;
}
/** Which bundle owns a config, and what that wrote last. */
export interface ModelOwner {
  bundle: string;
  wrote: BundleParts;
}
/** What a change request would change: a config, and a kind of policies. */
export interface GuardedChange {
  slot: Slot;
  kind: ChangeKind;
}
export interface ModelChange {
  id: string;
  etag: string;
  digest: string;
  /** The digest before the last edit. */
  oldDigest: string;
  /** Positions in the world's list of users. */
  author: number;
  approvals: number[];
  status: "open" | "executed" | "rejected" | "withdrawn";
  of: Operation;
  /** Null: it is of several. */
  configId: string | null;
  /** The ETag that each of its configs had; null: it was not there. */
  etags: Map<Slot, string | null>;
  changes: GuardedChange[];
}
/** A config that was deleted. */
export interface GoneConfig {
  id: string;
  plans: string[];
}
/** The first answer to a request with an idempotency key. */
export interface KeptAnswer {
  /** Query and body of the request. */
  asked: string;
  status: number;
  json: unknown;
}
export interface ModelState {
  tenant: string;
  app: string;
  regions: readonly string[];
  users: readonly string[];
  configs: Map<Slot, ModelConfig>;
  gone: Map<Slot, GoneConfig>;
  kept: Map<string, KeptAnswer>;
  /** Of the guarded namespace. */
  policy: { required: number; appliesTo: readonly ChangeKind[] };
  changes: ModelChange[];
  /** The last dry run of a bundle: `of` is what its plan's name covers. */
  planned: { step: StepOf<"apply">; of: string; digest: string } | null;
  /** SHA-256 of contents, by their names. */
  hashes: Readonly<Record<string, string>>;
}

/** The last one's changes may need approval. */
export const envOf = (slot: Slot): string => (slot === "d.json" ? "safe" : "prod");

export const runningPlan = (config: ModelConfig): ModelPlan | null =>
  config.plans.find(({ state }) => state === "baking" || state === "paused") ?? null;

export const stagesOf = (plan: ModelPlan): readonly ModelStage[] => STRATEGIES[plan.strategy]?.stages ?? [];

export function planStatus({ state, stage }: ModelPlan): string {
  return state === "baking" ? `stage${stage}` : state;
}

function lowerNames(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name.toLowerCase(), value]));
}

/** A rule of a step as it is kept; `fresh`: the version that "new" means. */
export function keepRule(rule: StepRule, fresh: number | null = null): ModelRule {
  const { percentage } = rule;
  return {
    labels: lowerNames(rule.labels),
    version: rule.version === "new" ? (fresh ?? 0) : rule.version,
    priority: rule.priority,
    when: rule.when,
    percentage: percentage && { ...percentage, by: percentage.by.toLowerCase() },
    regions: rule.regions,
    plan: null,
  };
}

/** Whether a list of rules is refused: a version is not there, a rule is flawed, two ask the same at one priority. */
export function areWrong(
  rules: readonly StepRule<unknown>[],
  kept: readonly ModelRule[],
  versions: number,
): boolean {
  if (rules.some(({ flaw }) => flaw !== null)) return true;
  if (kept.some(({ version }) => version < 1 || version > versions)) return true;
  const asked = kept.map(({ labels, priority, when, percentage, regions }) =>
    JSON.stringify([
      Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      priority,
      when.toSorted((a, b) => a - b),
      percentage && [percentage.by, percentage.percent, percentage.salt],
      regions,
    ]),
  );
  return new Set(asked).size < asked.length;
}

/** The rules of the stages that a plan has reached. */
function planRules(plan: ModelPlan, at: number): ModelRule[] {
  return stagesOf(plan)
    .slice(0, plan.stage)
    .map(({ labels, percentage, regions }) => ({
      labels: lowerNames(labels ?? {}),
      version: plan.version,
      priority: PLAN_PRIORITY,
      when: [],
      percentage: percentage ?? null,
      regions: regions ?? null,
      plan: at,
    }));
}

/** Puts the rules of a plan before those of users as its state asks for; takes them away when it does not run. */
function placePlan(config: ModelConfig, plan: ModelPlan): void {
  const at = config.plans.indexOf(plan);
  const users = config.rules.filter((rule) => rule.plan !== at);
  config.rules = plan === runningPlan(config) ? [...planRules(plan, at), ...users] : users;
}

const asksNothing = (rule: ModelRule): boolean =>
  Object.keys(rule.labels).length + rule.when.length === 0 &&
  rule.percentage === null &&
  rule.regions === null;

/** The rule that asks nothing, the lowest of several. */
function defaultRule(config: ModelConfig): ModelRule | null {
  const all = config.rules.filter(asksNothing);
  return all.toSorted((a, b) => a.priority - b.priority)[0] ?? null;
}
export const defaultVersion = (config: ModelConfig): number | null => defaultRule(config)?.version ?? null;

export function setDefault(config: ModelConfig, version: number): void {
  const rule = defaultRule(config);
  if (rule !== null) {
    rule.version = version;
    return;
  }
  const priority = Math.min(0, ...config.rules.map((other) => other.priority));
  config.rules.push({
    labels: {},
    version,
    priority,
    when: [],
    percentage: null,
    regions: null,
    plan: null,
  });
}

/** Ends the plan that runs, if one does, and takes its rules away. */
export function endPlan(config: ModelConfig): void {
  const plan = runningPlan(config);
  if (plan === null) return;
  plan.state = "aborted";
  plan.etag = "";
  placePlan(config, plan);
}

/** Begins a plan in its first stage; one without stages is full at once. */
export function beginPlan(config: ModelConfig, version: number, strategy: string): ModelPlan {
  const previous = defaultVersion(config);
  const plan: ModelPlan = { id: "", etag: "", version, previous, strategy, state: "baking", stage: 1 };
  config.plans.push(plan);
  if (stagesOf(plan).length === 0) {
    plan.stage = 0;
    finishPlan(config, plan);
  } else placePlan(config, plan);
  return plan;
}

/** The next stage, or everyone after the last. */
export function advancePlan(config: ModelConfig, plan: ModelPlan): void {
  if (plan.stage === stagesOf(plan).length) return finishPlan(config, plan);
  plan.stage += 1;
  placePlan(config, plan);
}

function finishPlan(config: ModelConfig, plan: ModelPlan): void {
  const { previous } = plan;
  const before = config.plans.findLast((other) => other.state === "full" && other.version === previous);
  plan.state = "full";
  placePlan(config, plan);
  setDefault(config, plan.version);
  const version = config.versions[plan.version - 1];
  if (version !== undefined) version.isDeprecated = false;
  if (previous === null || previous === plan.version) return;
  const replaced = config.versions[previous - 1];
  if (replaced !== undefined) replaced.isDeprecated = true;
  if (before !== undefined) Object.assign(before, { state: "deprecated", etag: "" });
}

/** Where a version stands, in the words of the API. */
export function versionStatus(config: ModelConfig, version: number): string {
  if (defaultVersion(config) === version) return "full";
  const plan = runningPlan(config);
  if (plan?.version === version) return planStatus(plan);
  if (config.rules.some((rule) => rule.version === version)) return "released";
  const wasFull = config.plans.some(
    (other) => other.version === version && (other.state === "full" || other.state === "deprecated"),
  );
  return wasFull || config.versions[version - 1]?.isDeprecated === true ? "deprecated" : "draft";
}

/** A rule as a request has it. */
export function sentRule<V>(
  rule: StepRule<V>,
  regions: readonly string[],
  nameOfVersion = "version_id",
): Record<string, unknown> {
  const { version, priority, labels, when, percentage, flaw } = rule;
  return {
    [nameOfVersion]: version,
    ...(priority === 0 ? {} : { priority }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(when.length === 0 ? {} : { when: wireConditions(when) }),
    ...(percentage === null ? {} : { percentage }),
    ...(rule.regions === null ? {} : { edge: { regions: namesOf(rule.regions, regions) } }),
    ...(flaw === null ? {} : FLAWS[flaw]),
  };
}

/** A rule as answers show it. */
export function shownRule(rule: ModelRule, config: ModelConfig, regions: readonly string[]) {
  const { labels, version, priority, when, percentage, plan } = rule;
  return {
    labels,
    version_id: version,
    priority,
    ...(when.length === 0 ? {} : { when: wireConditions(when) }),
    ...(percentage === null ? {} : { percentage }),
    ...(rule.regions === null ? {} : { edge: { regions: namesOf(rule.regions, regions) } }),
    ...(plan === null ? {} : { publish_id: config.plans[plan]?.id }),
  };
}

function wireConditions(when: readonly number[]) {
  return when.map((i) => {
    const { label, op, values } = conditionAt(i);
    return { label, op, values };
  });
}

export function conditionAt(i: number) {
  const condition = CONDITIONS[i];
  if (condition === undefined) throw new Error(`there is no condition ${i}`);
  return condition;
}

export const namesOf = (positions: readonly number[], regions: readonly string[]): string[] =>
  positions.map((i) => regions[i] ?? "");

/** The schema that a version's content must satisfy. */
export function schemaOf(config: ModelConfig, own: SchemaName | null): SchemaName | null {
  return own ?? (config.hasSchema ? "int" : null);
}

/** Whether the API takes what an operation brings. */
export function isFit(
  of: {
    do: string;
    what?: string | number;
    content?: string;
    format?: ModelFormat | null;
    schema?: SchemaName | null;
  },
  config: ModelConfig,
): boolean {
  if (of.do === "version" && of.content !== undefined) {
    return fits(of.content, of.format ?? config.format, schemaOf(config, of.schema ?? null));
  }
  if (of.do !== "publish" || typeof of.what !== "string") return true;
  return fits(of.what, config.format, schemaOf(config, null));
}
