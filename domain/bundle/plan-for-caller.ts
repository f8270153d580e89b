import type { StateView } from "../command/state-view.ts";
import type { BundlePlanItem, BundleRequest } from "./bundle.ts";
import { planBundle } from "./plan-bundle.ts";
import type { ConfigWork, PlannedBundle } from "./planned-bundle.ts";

/**
 * What applying a bundle would do, as its caller is told of it: `planBundle`, and against it stand rules, too, that the bundle
 * has left alone so far. The command knows nothing of those, since entries of older logs must mean what they did: who
 * proposes a bundle does not propose a plan that something stands against. The plan's name is that of `planBundle`.
 */
export function planForCaller(state: StateView, tenant: string, request: BundleRequest): PlannedBundle {
  const planned = planBundle(state, tenant, request);
  if (!planned.ok) return planned;
  const work = planned.work.map(({ item, config }) => {
    const blocked = item.blocked ?? whyUnset(item, config?.existing?.config, request);
    return { item: { ...item, blocked }, config };
  });
  return { ok: true, plan: { ...planned.plan, items: work.map(({ item }) => item) }, work };
}

/** Why rules that the bundle did not set when it was last applied stand against its first ones. */
function whyUnset(
  { changes }: BundlePlanItem,
  config: NonNullable<ConfigWork["existing"]>["config"] | undefined,
  { bundle_id, adopt, force }: BundleRequest,
): BundlePlanItem["blocked"] {
  const mark = config?.bundle;
  if (!changes.includes("releases") || adopt || force) return null;
  if (mark?.id !== bundle_id || mark.releases !== null) return null;
  if (config?.releases.every((rule) => rule.publish_id !== undefined) ?? true) return null;
  const reason = "its rules are not the bundle's so far; adopt=true takes them over";
  return { code: "conflict", reason };
}
