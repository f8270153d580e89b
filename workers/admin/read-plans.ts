import type { Context } from "hono";
import type { Consistency } from "../../contracts/core/core-api.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import type { AdminEnv } from "./principal.ts";

/** Plans read at once. A plan has up to 20 stages with their gates, and most of what is asked for is in the newest few. */
const PLANS_PAGE_MAX = 10;

/** The newest of a config's plans; undefined for a config without. */
export async function readNewestPlan(
  c: Context<AdminEnv>,
  configId: string,
): Promise<PublishPlan | undefined> {
  return (await readPage(c, { config_id: configId, limit: 1 }, "leader")).items[0];
}

/**
 * Those plans of a config that are kept, the newest first, as far back as they can say anything of a version that was made
 * at `sinceMs` (the log's time) or later: no plan names a version that was not there yet. Whoever counts on that finds one
 * that is older among them, if there is one.
 */
export async function readPlansSince(
  c: Context<AdminEnv>,
  configId: string,
  sinceMs: number,
  consistency: Consistency = "leader",
): Promise<PublishPlan[]> {
  const plans: PublishPlan[] = [];
  let cursor: string | null = "";
  while (cursor !== null && (plans.at(-1)?.created_at_ms ?? sinceMs) >= sinceMs) {
    const after: { cursor?: string } = cursor === "" ? {} : { cursor };
    const page = await readPage(c, { config_id: configId, limit: PLANS_PAGE_MAX, ...after }, consistency);
    plans.push(...page.items);
    cursor = page.next_cursor;
  }
  return plans;
}

function readPage(
  c: Context<AdminEnv>,
  input: { config_id: string; cursor?: string; limit: number },
  consistency: Consistency,
) {
  return c.var.deps.core.listPublishes(input, { consistency, traceparent: c.var.traceparent });
}
