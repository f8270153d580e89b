import { PAUSE_MINUTES_DEFAULT } from "../limits.ts";
import {
  BAKE_MS,
  type ConfigStep,
  PAUSE_MS,
  SEALED_NAME,
  type Step,
  type StepGate,
  TYPED_NAME,
} from "./testing-steps.ts";

/** What a user believes the system holds: content by version, and rules as [label, version]. */
export interface ModelConfig {
  /** Null: removed by the retention. */
  versions: (string | null)[];
  /** Those that a user wrote. */
  rules: { label: string; version: number }[];
  /** The plan that runs. */
  plan: ModelPlan | null;
  /** Versions that plans have named, ascending. */
  named: number[];
  /** Versions that a plan has replaced. */
  deprecated: number[];
  /** How many versions are to be kept; null: all. */
  keeps: number | null;
  /** What its bundle last applied. */
  bundled: string | null;
  /** What its open change requests ask for, by id. */
  asked: Record<string, { version: number; approvedBy: string[] }>;
}
export interface ModelPlan {
  version: number;
  /** What the default rule named before. */
  previous: number | null;
  stage: number;
  stages: number;
  /** Whether its stages bake for BAKE_MS, or wait for a hand. */
  bakes: boolean;
  gate: StepGate;
  /** What the stage's gate was last reported to say. */
  verdict: "holds" | "waits" | "fails" | null;
  approvedBy: string[];
  startedAtMs: number;
  pausedMs: number;
  pausedAtMs: number | null;
  /** How long the pause may be. */
  pauseMs: number;
  on_timeout: "abort" | "resume";
}
/** The last rollback that is asked for, by the name of its config; stale when the config has changed since. */
export type Asked = Map<string, { id: string; version: number; stale: boolean }>;

/** What becomes of a step: it is refused, or done, and then the feed is told of it, or not, or the model cannot say. */
export type Took = "refused" | "told" | "silent" | "either";
const took = (done: boolean): Took => (done ? "told" : "refused");

export const emptyConfig = (): ModelConfig => ({
  versions: [],
  rules: [],
  plan: null,
  named: [],
  deprecated: [],
  keeps: null,
  bundled: null,
  asked: {},
});
/** The default pause is much longer than any sequence. */
const noPause = { pausedAtMs: null, pauseMs: 0, on_timeout: "abort" as const };

function isThere({ versions }: ModelConfig, version: number): boolean {
  return (versions[version - 1] ?? null) !== null;
}

const LETTERS: Record<string, string> = { 1: "d", 2: "e", 3: "f" };
const NEXT_LETTER: Record<string, string> = { d: "e", e: "f", f: "d" };
/** The first digit of a content's hash; no envelope has that of another content. */
export function letterOf(name: string, content: string): string {
  return name === SEALED_NAME ? (LETTERS[content] ?? content) : content;
}
/** The same for an envelope whose data key is wrapped anew. */
export function rewrappedLetter(letter: string): string {
  return NEXT_LETTER[letter] ?? letter;
}

/** Applies a step about a config to the model; when it is refused nothing has changed. */
export function stepConfig(
  model: { configs: Map<string, ModelConfig>; asked: Asked; guarded: boolean },
  step: ConfigStep,
  at: { nowMs: number; index: number },
): Took {
  const { configs, asked } = model;
  switch (step.do) {
    case "ask":
    case "approve":
    case "reject":
    case "withdraw":
    case "execute":
      return took(stepAsked(configs.get(step.name), asked, step, at.index));
    case "delete":
      if (model.guarded && step.name !== TYPED_NAME) return "refused";
      break;
    default:
  }
  const done = stepOne(configs, step, at.nowMs);
  const before = asked.get(step.name);
  // Whether a bundle leaves a config as it was looked at is more than this model knows: what was asked is forgotten.
  if (done === "refused" || done === "silent" || before === undefined || step.do === "prune") return done;
  if (step.do === "delete" || step.do === "bundle") asked.delete(step.name);
  else asked.set(step.name, { ...before, stale: true });
  return done;
}

type AskedStep = Step<"ask" | "approve" | "reject" | "withdraw" | "execute">;

/** Change requests; ada makes them. */
function stepAsked(config: ModelConfig | undefined, asked: Asked, step: AskedStep, index: number): boolean {
  const before = asked.get(step.name);
  if (step.do === "ask") {
    if (config === undefined) return false;
    const id = step.edit && before !== undefined ? before.id : `chr-c1-${index}`;
    asked.set(step.name, { id, version: step.version, stale: false });
    config.asked[id] = { version: step.version, approvedBy: [] };
    return true;
  }
  const open = before === undefined ? undefined : config?.asked[before.id];
  if (before === undefined || config === undefined || open === undefined) return false;
  if (step.do === "approve") {
    if (step.by === "ada" || open.approvedBy.includes(step.by)) return false;
    return open.approvedBy.push(step.by) > 0;
  }
  if (step.do === "execute") {
    if (before.stale || config.plan !== null || !isThere(config, before.version)) return false;
    setDefault(config, before.version);
  } else if ((step.do === "reject") === (step.by === "ada")) return false;
  delete config.asked[before.id];
  return asked.delete(step.name);
}

function stepOne(
  configs: Map<string, ModelConfig>,
  step: Exclude<ConfigStep, AskedStep>,
  nowMs: number,
): Took {
  if (step.do === "bundle") return stepBundle(configs, step);
  const config = configs.get(step.name);
  if (step.do === "create") {
    if (config !== undefined || (step.max !== null && configs.size >= step.max)) return "refused";
    const rules = step.release ? [{ label: "", version: 1 }] : [];
    const versions = [letterOf(step.name, step.content)];
    configs.set(step.name, { ...emptyConfig(), versions, rules, keeps: step.keeps });
    return "told";
  }
  if (config === undefined) return step.do === "rewrap" ? "silent" : "refused";
  switch (step.do) {
    case "delete":
      return took(configs.delete(step.name));
    case "retention":
      config.keeps = step.keeps;
      return "told";
    case "prune":
      return stepPrune(config, step.versions);
    case "batch":
      return took(stepBatch(configs, config, step));
    case "version":
      return took(config.versions.push(letterOf(step.name, step.content)) > 0);
    case "draft":
      return took(stepDraft(config, step));
    case "rewrap":
      return stepRewrap(config, step);
    case "rules":
    case "rollback":
      return took(stepRules(config, step));
    default:
      return stepPlan(config, step, nowMs);
  }
}

function stepRules(config: ModelConfig, step: Step<"rules" | "rollback">): boolean {
  if (config.plan !== null && !step.abortPlan) return false;
  if (step.do === "rules") {
    const labels = step.rules.map((r) => r.label);
    const areThere = step.rules.every((r) => isThere(config, r.version));
    if (new Set(labels).size < labels.length || !areThere) return false;
    config.rules = step.rules;
  } else {
    if (!isThere(config, step.version)) return false;
    setDefault(config, step.version);
  }
  config.plan = null;
  return true;
}

/** A draft is the latest version that no rule and no plan ever named. */
function stepDraft(config: ModelConfig, step: Step<"draft">): boolean {
  if (step.name !== TYPED_NAME) return false;
  const latest = config.versions.length;
  const known = [...config.named, ...config.deprecated, ...config.rules.map((r) => r.version)];
  if (known.includes(latest)) config.versions.push(step.content);
  else config.versions[latest - 1] = step.content;
  return true;
}

/** Only what is as it was when its key was wrapped. */
function stepRewrap(config: ModelConfig, step: Step<"rewrap">): Took {
  const letter = config.versions[step.version - 1] ?? null;
  if (step.stale || letter === null) return "silent";
  config.versions[step.version - 1] = rewrappedLetter(letter);
  return "told";
}

/** What is asked to be removed goes, when enough newer ones are there and nothing names it. */
function stepPrune(config: ModelConfig, asked: readonly number[]): Took {
  const { versions, rules, plan, bundled } = config;
  const named = [
    ...rules.map((r) => r.version),
    plan?.version,
    plan?.previous,
    ...Object.values(config.asked).map(({ version }) => version),
  ];
  const newest = versions.flatMap((text, i) => (text === null ? [] : [i + 1])).toReversed();
  const kept = newest.slice(0, config.keeps ?? newest.length);
  const isBundled = (version: number): boolean =>
    versions.at(-1) !== bundled && versions[version - 1] === bundled;
  const gone = asked.filter(
    (version) => isThere(config, version) && ![...named, ...kept].includes(version) && !isBundled(version),
  );
  config.versions = versions.map((text, i) => (gone.includes(i + 1) ? null : text));
  config.deprecated = config.deprecated.filter((version) => !gone.includes(version));
  return "either";
}

/** With every flag set: the config is as the bundle says, whoever made it. */
function stepBundle(configs: Map<string, ModelConfig>, step: Step<"bundle">): Took {
  const config = configs.get(step.name) ?? emptyConfig();
  configs.set(step.name, config);
  Object.assign(config, { keeps: 1, bundled: step.content });
  if (config.versions.at(-1) !== step.content) config.versions.push(step.content);
  if (!step.released) return "either";
  const [only] = config.rules;
  const isSame =
    config.rules.length === 1 && only?.label === "" && config.versions[only.version - 1] === step.content;
  if (isSame) return "either";
  config.rules = [{ label: "", version: config.versions.length }];
  config.plan = null;
  return "either";
}

/** A new version becomes the default of one config, an old one of another: both, or neither. */
function stepBatch(configs: Map<string, ModelConfig>, config: ModelConfig, step: Step<"batch">): boolean {
  const other = configs.get(step.other);
  if (other === undefined || other === config || !isThere(other, step.version)) return false;
  if ((config.plan !== null || other.plan !== null) && !step.abortPlan) return false;
  setDefault(config, config.versions.push(letterOf(step.name, step.content)));
  setDefault(other, step.version);
  config.plan = null;
  other.plan = null;
  return true;
}

type PlanStep = Step<
  "publish" | "advance" | "pause" | "resume" | "end_pause" | "abort" | "report" | "approve_stage"
>;

function stepPlan(config: ModelConfig, step: PlanStep, nowMs: number): Took {
  const { plan } = config;
  if (step.do === "publish") return took(beginPlan(config, step, nowMs));
  if (plan === null) return "refused";
  switch (step.do) {
    case "abort":
      config.plan = null;
      return "told";
    case "resume":
    case "end_pause":
      return took(stepPause(config, plan, step, nowMs));
    case "approve_stage":
      if (plan.gate !== "approval" || step.stage !== plan.stage) return "refused";
      if (step.by === "ada" || plan.approvedBy.length > 0) return "refused";
      plan.approvedBy.push(step.by);
      return "told";
    default:
  }
  if (plan.pausedAtMs !== null || step.stage !== plan.stage) return "refused";
  if (step.do === "report") return stepReport(config, plan, step.verdict, nowMs);
  if (step.do === "pause") {
    Object.assign(plan, { pausedAtMs: nowMs, pauseMs: PAUSE_MS, on_timeout: step.on_timeout });
    return "told";
  }
  const bakedAtMs = plan.startedAtMs + plan.pausedMs + BAKE_MS;
  if (step.cause === "bake_over" && (!plan.bakes || nowMs < bakedAtMs)) return "refused";
  if (!isOpen(plan, step)) return "refused";
  const fresh = { startedAtMs: nowMs, pausedMs: 0, verdict: null, approvedBy: [] };
  if (plan.stage < plan.stages) Object.assign(plan, { ...fresh, stage: plan.stage + 1 });
  else endFull(config, plan);
  return "told";
}

/** Whether the gate lets the plan go on: by the word of who moves it, or by hand as it was last reported. */
function isOpen(plan: ModelPlan, { cause, held }: Step<"advance">): boolean {
  if (plan.gate === "none") return true;
  if (cause === "bake_over" && !held) return false;
  return plan.gate === "approval" ? plan.approvedBy.length > 0 : held || plan.verdict === "holds";
}

/** A gate that fails stops its plan; one that waits for people says what the log knows. */
function stepReport(
  config: ModelConfig,
  plan: ModelPlan,
  reported: NonNullable<ModelPlan["verdict"]>,
  nowMs: number,
): Took {
  if (plan.gate === "none") return "refused";
  const approval = plan.approvedBy.length > 0 ? "holds" : "waits";
  const verdict = plan.gate === "approval" ? approval : reported;
  if (verdict !== "fails" && verdict === plan.verdict) return "silent";
  plan.verdict = verdict;
  if (verdict !== "fails") return "told";
  if (plan.gate === "aborts") config.plan = null;
  const pause = { pausedAtMs: nowMs, pauseMs: PAUSE_MINUTES_DEFAULT * 60_000, on_timeout: "abort" };
  Object.assign(plan, pause);
  return "told";
}

function stepPause(
  config: ModelConfig,
  plan: ModelPlan,
  step: Step<"resume" | "end_pause">,
  nowMs: number,
): boolean {
  if (plan.pausedAtMs === null) return false;
  if (step.do === "end_pause" && nowMs < plan.pausedAtMs + plan.pauseMs) return false;
  if (step.do === "end_pause" && plan.on_timeout === "abort") config.plan = null;
  Object.assign(plan, { pausedMs: plan.pausedMs + nowMs - plan.pausedAtMs, ...noPause });
  return true;
}

function beginPlan(config: ModelConfig, step: Step<"publish">, nowMs: number): boolean {
  if (config.plan !== null && !step.abortPlan) return false;
  if (typeof step.what === "number" && !isThere(config, step.what)) return false;
  const version =
    typeof step.what === "number" ? step.what : config.versions.push(letterOf(step.name, step.what));
  const plan: ModelPlan = {
    version,
    previous: config.rules.find((r) => r.label === "")?.version ?? null,
    stage: 1,
    stages: step.stages,
    bakes: step.bakes,
    gate: step.gate,
    verdict: null,
    approvedBy: [],
    startedAtMs: nowMs,
    pausedMs: 0,
    ...noPause,
  };
  config.plan = plan;
  config.named = [...new Set([...config.named, version])].toSorted((a, b) => a - b);
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
