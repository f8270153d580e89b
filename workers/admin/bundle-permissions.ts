import type { Context } from "hono";
import type { BundleDocument } from "../../contracts/bundle/bundle-schemas.ts";
import type { BundlePlanItem } from "../../domain/bundle/bundle.ts";
import type { PermissionAction } from "../../domain/access/permits.ts";
import { isWritten } from "../../domain/change-request/change-request.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { requireEach } from "./require-each.ts";

/**
 * Refuses (`forbidden`) a caller who may not do to each config what the plan does to it: write, publish where rules change,
 * delete; and read what stays as it is, since the plan tells of it.
 */
export async function requireForPlan(
  c: Context<AdminEnv>,
  tenant: string,
  items: readonly BundlePlanItem[],
): Promise<void> {
  const wanted = items.flatMap((item) => actionsOf(item).map((action) => ({ ...item, action })));
  await requireEach(c, tenant, wanted);
}

/**
 * The same of a bundle that is asked for as a change request: whoever may write all that it writes may ask for it, and
 * whoever executes it needs more.
 */
export async function requireToAskFor(
  c: Context<AdminEnv>,
  tenant: string,
  items: readonly BundlePlanItem[],
): Promise<void> {
  const wanted = items.map((item) => ({
    ...item,
    action: isWritten(item) ? ("write" as const) : ("read" as const),
  }));
  await requireEach(c, tenant, wanted);
}

/**
 * Refuses a caller who may not read what a bundle names, before the bundle is compared with anything: what is wrong with
 * one says what there is. Of a bundle without configs its whole scope is asked for.
 */
export async function requireForBundle(
  c: Context<AdminEnv>,
  { bundle, configs }: BundleDocument,
): Promise<void> {
  const { tenant, app = "*", env = "*" } = bundle;
  const named = configs.length === 0 ? [{ name: "*" }] : configs;
  await requireEach(
    c,
    tenant,
    named.map((entry) => ({ action: "read" as const, app, env, ...omitUndefined(entry) })),
  );
}

function actionsOf({ action, changes }: BundlePlanItem): PermissionAction[] {
  if (action === "delete") return ["delete"];
  if (action === "unchanged" || action === "orphan") return ["read"];
  return changes.includes("releases") ? ["write", "publish"] : ["write"];
}
