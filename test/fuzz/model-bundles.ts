/** What a bundle does (docs/gitops.md): three ways to see each part of a config, and what stands against a change. */
import type { ErrorCode } from "../../contracts/problem/error-codes.ts";
import { type Expected, type Json, refused } from "./model-shown.ts";
import {
  areWrong,
  type BundleParts,
  endPlan,
  envOf,
  keepRule,
  type ModelConfig,
  type ModelRule,
  type ModelState,
  type ModelVersion,
  runningPlan,
  shownRule,
} from "./model-state.ts";
import { type BundleEntry, type Slot, SLOTS, type StepOf } from "./model-steps.ts";
import { fits, type ModelFormat } from "./model-values.ts";

type ApplyStep = StepOf<"apply">;
type Part = keyof BundleParts;
const PARTS: readonly Part[] = ["content", "settings", "releases"];

export interface PlannedItem {
  slot: Slot;
  /** Position in the bundle; null: no longer in it. */
  position: number | null;
  action: "create" | "update" | "unchanged" | "delete" | "orphan";
  changes: (Part | "owner")[];
  drift: Part[];
  blocked: ErrorCode | null;
  /** Blocked by rules that the bundle left alone until now: asked before it is proposed, and not of what was approved. */
  isByRules: boolean;
  /** As it would be. */
  config: ModelConfig | null;
}

/** What applying it would do to each config; null for a bundle that is wrong in itself. */
export function planApply(state: ModelState, step: ApplyStep): PlannedItem[] | null {
  const entries = step.entries.map((entry, position) => planEntry(state, step, entry, position));
  const slots = step.entries.map(({ slot }) => slot);
  const orphans = SLOTS.filter(
    (slot) => !slots.includes(slot) && state.configs.get(slot)?.owner?.bundle === step.bundle,
  );
  const items = [...entries, ...orphans.map((slot) => planOrphan(state, step, slot))];
  return items.includes(null) ? null : items.filter((item) => item !== null);
}

function planEntry(
  state: ModelState,
  step: ApplyStep,
  entry: BundleEntry,
  position: number,
): PlannedItem | null {
  const { slot, format, hasSchema, retention } = entry;
  const before = state.configs.get(slot);
  if (before?.isEncrypted === true) return null;
  const config: ModelConfig = structuredClone(before) ?? newConfig(entry);
  const rules = putContents(config, entry);
  if (rules === null) return null;
  const releases = rules.rules && rulesText(rules.rules, config, state);
  const wrote: BundleParts = {
    content: contentText({ content: entry.content, format }),
    settings: settingsText(format, hasSchema, retention),
    releases,
  };
  const now = before && partsNow(before, state);
  const changes: PlannedItem["changes"] = [];
  if (config.versions.length > (before?.versions.length ?? 0)) changes.push("content");
  if (now?.settings !== wrote.settings) changes.push("settings");
  if (releases !== null && releases !== (now?.releases ?? "[]")) changes.push("releases");
  const owner = { bundle: step.bundle, wrote };
  if (JSON.stringify(before?.owner) !== JSON.stringify(owner)) changes.push("owner");
  const isOwn = before?.owner?.bundle === step.bundle;
  const drift = isOwn ? driftOf(before, state) : [];
  const action = before === undefined ? "create" : changes.length > 0 ? "update" : "unchanged";
  const isFree = before === undefined || isOwn || step.adopt;
  const why = isFree ? whyBlocked({ config, step, changes, drift }) : "conflict";
  const isByRules = why === null && changes.includes("releases") && hasRulesOfOthers(before, step);
  const blocked = isByRules ? "conflict" : why;
  // A new version has no schema of its own, so those of the config count again.
  if (changes.includes("settings") || changes.includes("content"))
    Object.assign(config, { format, hasSchema, retention });
  if (changes.includes("releases")) {
    endPlan(config);
    config.rules = rules.rules ?? [];
  }
  Object.assign(config, { owner });
  return { slot, position, action, changes, drift, blocked, isByRules, config };
}

/** Whether the bundle, when it was last applied, left the rules alone that are there. */
function hasRulesOfOthers(before: ModelConfig | undefined, step: ApplyStep): boolean {
  const isLeft = before?.owner?.bundle === step.bundle && before.owner.wrote.releases === null;
  return isLeft && !step.adopt && !step.force && before.rules.some(({ plan }) => plan === null);
}

function newConfig({ format, hasSchema, retention }: BundleEntry): ModelConfig {
  const none = { id: "", etag: "", versions: [], rules: [], plans: [], owner: null, isEncrypted: false };
  return { ...none, format, hasSchema, retention };
}

/** Makes the versions that are missing, and says which rules the entry means: null for none of its business. */
function putContents(config: ModelConfig, entry: BundleEntry): { rules: ModelRule[] | null } | null {
  const { content, format, hasSchema } = entry;
  if (entry.versions.some((name) => !fits(name, format, null))) return null;
  const there = [...config.versions];
  const numbers = new Map<string | number, number>();
  const push = (name: string): number =>
    config.versions.push({ content: name, format, schema: null, isDeprecated: false });
  for (const name of entry.versions)
    numbers.set(name, findContent(config, there, { content: name, format }) ?? push(name));
  const latest = config.versions.at(-1);
  const isLatest =
    latest !== undefined &&
    contentText(latest) === contentText({ content, format }) &&
    (latest.schema === null || latest.schema === (hasSchema ? "int" : null));
  numbers.set("bundle", isLatest ? config.versions.length : push(content));
  if (entry.rules === null) return { rules: null };
  const rules = entry.rules.map((rule) => ({
    ...rule,
    version: typeof rule.version === "number" ? rule.version : (numbers.get(rule.version) ?? 0),
  }));
  const kept = rules.map((rule) => keepRule(rule));
  return areWrong(rules, kept, config.versions.length) ? null : { rules: kept };
}

/** The version with a content: of several the newest that a rule names or that is the latest, else the newest. */
function findContent(
  { rules }: ModelConfig,
  there: readonly ModelVersion[],
  wanted: Pick<ModelVersion, "content" | "format">,
): number | null {
  const numbers = there.flatMap((version, i) =>
    contentText(version) === contentText(wanted) ? [i + 1] : [],
  );
  const isUsed = (number: number): boolean =>
    number === there.length || rules.some(({ version }) => version === number);
  return numbers.findLast(isUsed) ?? numbers.at(-1) ?? null;
}

function planOrphan(state: ModelState, step: ApplyStep, slot: Slot): PlannedItem {
  const config = state.configs.get(slot);
  if (config === undefined) throw new Error(`${slot} is not there`);
  const drift = driftOf(config, state);
  const action = step.prune ? "delete" : "orphan";
  const blocked = step.prune ? whyBlocked({ config, step, changes: [...PARTS], drift }) : null;
  const planned = { slot, position: null, action, drift, blocked } as const;
  return { ...planned, changes: [], isByRules: false, config: step.prune ? null : config };
}

/** Drift of what is written, unless it is forced; else a running plan, where rules are. */
function whyBlocked(of: {
  config: ModelConfig;
  step: ApplyStep;
  changes: PlannedItem["changes"];
  drift: readonly Part[];
}): ErrorCode | null {
  const { config, step, changes, drift } = of;
  if (!step.force && drift.some((part) => changes.includes(part))) return "conflict";
  const isHeld = changes.includes("releases") && !step.abort && runningPlan(config) !== null;
  return isHeld ? "publish_running" : null;
}

/** What of a config is not as its bundle wrote it. */
function driftOf({ owner, ...config }: ModelConfig, state: ModelState): Part[] {
  const now = partsNow({ ...config, owner }, state);
  const wrote = owner?.wrote;
  return PARTS.filter((part) => wrote !== undefined && wrote[part] !== null && wrote[part] !== now[part]);
}

function partsNow(config: ModelConfig, state: ModelState): BundleParts {
  const latest = config.versions.at(-1);
  if (latest === undefined) throw new Error("a config has a version");
  const schema = latest.schema ?? (config.hasSchema ? "int" : null);
  return {
    content: contentText(latest),
    settings: settingsText(latest.format, schema, config.retention),
    releases: rulesText(config.rules, config, state),
  };
}

const contentText = ({ content, format }: Pick<ModelVersion, "content" | "format">): string =>
  `${content} as ${format}`;
const settingsText = (
  format: ModelFormat,
  schema: "int" | "loose" | boolean | null,
  retention: number | null,
): string => JSON.stringify([format, schema === true ? "int" : schema || null, retention]);

/** Rules by the contents that they name. Those of a running plan are not in a bundle. */
function rulesText(rules: readonly ModelRule[], config: ModelConfig, { regions }: ModelState): string {
  const texts = rules
    .filter(({ plan }) => plan === null)
    .map((rule) => {
      const { version_id, ...shown } = shownRule(rule, config, regions);
      const version = config.versions[version_id - 1];
      return [shown, version === undefined ? version_id : contentText(version)];
    });
  return JSON.stringify(texts);
}

/** What the API refuses before the log is asked: a content that is not of its format or schema, or that no rule names. */
export function isUnfit(step: ApplyStep): boolean {
  return step.entries.some(
    ({ content, format, hasSchema, versions, rules }) =>
      !fits(content, format, hasSchema ? "int" : null) ||
      versions.some((name) => !fits(name, format, null) || !rules?.some(({ version }) => version === name)),
  );
}

/** The codes of what stands against it; of several any may be told. */
export const blockedBy = (items: readonly PlannedItem[]): ErrorCode[] =>
  items.flatMap(({ blocked }) => blocked ?? []);
export const isWritten = ({ action }: PlannedItem): boolean => action !== "unchanged" && action !== "orphan";

/** Applies it, as planned now, or as others have approved it. */
export function performApply(
  state: ModelState,
  step: ApplyStep,
  { isApproved = false }: { isApproved?: boolean } = {},
): Expected {
  const items = planApply(state, step);
  if (items === null) return refused("validation_failed");
  const codes = blockedBy(items.filter(({ isByRules }) => !(isApproved && isByRules)));
  if (codes.length > 0) return refused(...codes);
  const shown = shownItems(state, items);
  for (const { slot, action, changes, config } of items) {
    const before = state.configs.get(slot);
    if (action === "delete" && before !== undefined) {
      state.configs.delete(slot);
      state.gone.set(slot, { id: before.id, plans: before.plans.map(({ id }) => id) });
    } else if (config !== null && (action === "create" || action === "update")) {
      // Its id, if it is new, and its ETag are told by the list alone. Who owns it is nothing to others.
      const isSame = changes.every((change) => change === "owner");
      state.configs.set(slot, Object.assign(config, isSame ? {} : { etag: "" }));
    }
  }
  return {
    kind: "written",
    status: 200,
    learn: () => undefined,
    fields: () => ({ ...shownHead(state, step, items), dry_run: false, items: shown }),
  };
}

/** `needsApproval`: by the policy of now; that does not keep a dry run from being answered. */
export function expectDryApply(state: ModelState, step: ApplyStep, needsApproval: boolean): Expected {
  const items = planApply(state, step);
  if (items === null) return refused("validation_failed");
  const covered = coveredBy(state, step);
  return {
    kind: "read",
    status: 200,
    learn: (answer) => (state.planned = { step, of: covered, digest: String(answer["plan"]) }),
    fields: () => ({
      ...shownHead(state, step, items),
      dry_run: true,
      index: null,
      blocked: needsApproval ? [{ code: "approval_required" }] : [],
      items: shownItems(state, items),
    }),
  };
}

/** What the name of a plan covers: the bundle, the flags and the revision of each config. */
export function coveredBy({ configs }: ModelState, step: ApplyStep): string {
  const { bundle, entries, prune, adopt, force, abort } = step;
  const owned = SLOTS.filter((slot) => configs.get(slot)?.owner?.bundle === bundle);
  const slots = new Set([...entries.map(({ slot }) => slot), ...owned]);
  const etags = [...slots].map((slot) => configs.get(slot)?.etag ?? null);
  return JSON.stringify([bundle, entries, prune, adopt, force, abort, [...slots], etags]);
}

function shownHead(state: ModelState, step: ApplyStep, items: readonly PlannedItem[]): Json {
  return { bundle_id: `${state.app}-${step.bundle}`, has_changes: items.some(isWritten) };
}

function shownItems(state: ModelState, items: readonly PlannedItem[]): Json[] {
  return items.map(({ slot, position, action, changes, drift, blocked }) => ({
    path: position === null ? null : `/configs/${position}`,
    app: state.app,
    env: envOf(slot),
    name: slot,
    config_id: state.configs.get(slot)?.id ?? null,
    action,
    changes,
    drift,
    blocked: blocked && { code: blocked },
  }));
}
