import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { readFetchTimes } from "../../adapters/postgres/read-fetch-times.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { deadConfigList, deadConfigsQuery } from "../../contracts/delivery/delivery-api.ts";
import type { Config } from "../../domain/config/config.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { toTime } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Pages of configs that one request looks through; with nothing found it answers an empty page and a cursor. */
const PAGES_MAX = 10;

const route = declareRoute(
  { action: "list", resource: "{tenant}/{app or *}/{env or *}/*" },
  {
    method: "get",
    path: "/api/v1/mgt/delivery/dead-configs",
    tags: ["delivery"],
    summary: "Configs that have been there for some days and were not fetched in them",
    request: { query: deadConfigsQuery },
    responses: {
      200: {
        description:
          "A page, in the order of names; while there is a cursor there may be more, also after an empty page",
        content: json(deadConfigList),
      },
    },
  },
);

export function registerDeadConfigs(
  app: OpenAPIHono<AdminEnv>,
  deps: Pick<AuthDeps, "database" | "nowMs">,
): void {
  app.openapi(route, async (c) => {
    const { not_fetched_days: days, consistency, limit, cursor: begin, ...filter } = c.req.valid("query");
    await requireDeclared(c, filter);
    const beforeMs = deps.nowMs() - days * DAY_MS;
    const options = { consistency, traceparent: c.var.traceparent };
    const items: ReturnType<typeof viewDead>[] = [];
    let cursor: string | null = begin ?? null;
    for (let page = 0; page < PAGES_MAX && items.length < limit; page += 1) {
      const input = omitUndefined({ ...filter, cursor: cursor ?? undefined, limit: limit - items.length });
      const listed = await c.var.deps.core.listConfigs(input, options);
      items.push(...(await deadOf(c, deps, listed.items, beforeMs)));
      cursor = listed.next_cursor;
      if (cursor === null) break;
    }
    return c.json({ items, next_cursor: cursor }, 200);
  });
}

/** Of configs of one tenant those that were made before the moment and not fetched since. */
async function deadOf(
  c: Context<AdminEnv>,
  deps: Pick<AuthDeps, "database" | "nowMs">,
  configs: readonly Config[],
  beforeMs: number,
) {
  const old = configs.filter(({ created_at_ms }) => created_at_ms < beforeMs);
  const [first] = old;
  if (first === undefined) return [];
  const { tenant } = first.namespace;
  const names = old.map(({ namespace, name }) => fullName(namespace, name));
  const times = await withTenant(deps.database(c), tenant, (tx) =>
    readFetchTimes(tx, { tenant, configs: names }),
  );
  return old.flatMap((config, i) => {
    const fetchedMs = times.get(names[i] ?? "")?.getTime() ?? null;
    // A fetch from before its creation was of another config of this name.
    const ownMs = fetchedMs !== null && fetchedMs < config.created_at_ms ? null : fetchedMs;
    return ownMs !== null && ownMs >= beforeMs ? [] : [viewDead(config, ownMs)];
  });
}

function viewDead(config: Config, fetchedMs: number | null) {
  return {
    config_id: config.id,
    namespace: config.namespace,
    name: config.name,
    created_at: toTime(config.created_at_ms),
    last_fetched_at: fetchedMs === null ? null : toTime(fetchedMs),
  };
}
