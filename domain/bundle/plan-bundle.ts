import { canonicalJson } from "../canonical-json.ts";
import type { FieldError } from "../command/command-error.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import { isConfigName, NAME_RULE } from "../config/config-name.ts";
import type { Config } from "../config/config.ts";
import { BUNDLE_CONFIGS_MAX, BUNDLE_RULES_MAX } from "../limits.ts";
import type { BundlePlanItem, BundleRequest } from "./bundle.ts";
import { digestOf } from "./bundle-digests.ts";
import { findDrift, partsOf, planConfig, whyLost, whyRunning, withLatest } from "./plan-config.ts";
import type { PlannedBundle } from "./planned-bundle.ts";

/** Errors of one refusal. */
const BUNDLE_ERRORS_MAX = 50;

/**
 * What applying a bundle would do (C13), by three ways to see each part of a config: as the bundle wants it, as the bundle
 * last applied it, as it is. Refuses with what is wrong with the bundle itself; what stands against it in the state is
 * `blocked` in the plan's items.
 */
export function planBundle(state: StateView, tenant: string, request: BundleRequest): PlannedBundle {
  const { configs, bundle_id, prune, adopt, force, abort_plan } = request;
  const asked = { bundle_id, prune, adopt, force, abort_plan };
  const errors = checkBundle(request);
  if (errors.length > 0) return { ok: false, errors: errors.slice(0, BUNDLE_ERRORS_MAX) };
  const planned = configs.map((wanted, position) =>
    planConfig({ state, tenant, asked, position, wanted, errors }),
  );
  if (errors.length > 0) return { ok: false, errors: errors.slice(0, BUNDLE_ERRORS_MAX) };
  const kept = new Set(planned.map(({ item }) => item.config_id));
  const orphans = planOrphans(state, tenant, asked, kept);
  const items = [...planned.map(({ item }) => item), ...orphans];
  const targets = planned.map(({ work }) => [work.mark, work.fresh.map(({ sha256 }) => sha256)]);
  return {
    ok: true,
    plan: {
      digest: digestOf(canonicalJson([tenant, asked, items, targets])),
      items,
      warnings: planned.flatMap(({ warnings }) => warnings).slice(0, BUNDLE_ERRORS_MAX),
    },
    work: [
      ...planned.map(({ item, work }) => ({ item, config: work })),
      ...orphans.map((item) => ({ item, config: null })),
    ],
  };
}

function checkBundle({ bundle_id, configs }: BundleRequest): FieldError[] {
  if (!isConfigName(bundle_id)) return [{ path: "/bundle/id", message: NAME_RULE }];
  if (configs.length > BUNDLE_CONFIGS_MAX) {
    return [{ path: "/configs", message: `at most ${BUNDLE_CONFIGS_MAX} configs, got ${configs.length}` }];
  }
  const rules = configs.reduce((sum, { releases }) => sum + (releases?.length ?? 0), 0);
  if (rules > BUNDLE_RULES_MAX) {
    return [{ path: "/configs", message: `at most ${BUNDLE_RULES_MAX} release rules in all, got ${rules}` }];
  }
  const errors: FieldError[] = [];
  const seen = new Map<string, number>();
  for (const [i, { app, env, name }] of configs.entries()) {
    for (const [field, value] of Object.entries({ app, env, name }))
      if (!isConfigName(value)) errors.push({ path: `/configs/${i}/${field}`, message: NAME_RULE });
    const full = `${app}/${env}/${name}`;
    const first = seen.get(full);
    if (first !== undefined)
      errors.push({ path: `/configs/${i}`, message: `the config at ${first} once more` });
    seen.set(full, i);
  }
  return errors;
}

/** Configs that the bundle owns and no longer has, in the order of their names. */
function planOrphans(
  state: StateView,
  tenant: string,
  asked: Omit<BundleRequest, "configs">,
  kept: ReadonlySet<string | null>,
): BundlePlanItem[] {
  const items: BundlePlanItem[] = [];
  for (const { value } of scanAll(state, stateKey.bundleConfigPrefix(tenant, asked.bundle_id))) {
    const id = value as string;
    if (kept.has(id)) continue;
    const config = state.json(stateKey.config(id)) as Config | undefined;
    if (config?.bundle === undefined)
      throw new Error(`${id} is owned by a bundle and missing, or knows no owner`);
    const drift = findDrift(config.bundle, partsOf(state, withLatest(state, config)));
    const { app, env } = config.namespace;
    items.push({
      position: null,
      app,
      env,
      name: config.name,
      config_id: id,
      revision: config.revision,
      action: asked.prune ? "delete" : "orphan",
      changes: [],
      drift,
      blocked: asked.prune ? (whyLost(drift, asked) ?? whyRunning(state, config, asked)) : null,
    });
  }
  const nameOf = ({ app, env, name }: BundlePlanItem): string => `${app}/${env}/${name}`;
  return items.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}
