import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { listOf } from "../../contracts/config/config-schemas.ts";
import type { Consistency } from "../../contracts/core/core-api.ts";
import { grayListQuery } from "../../contracts/gray/gray-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { Config } from "../../domain/config/config.ts";
import { grayNamespace } from "../../domain/gray-config/gray-content.ts";
import { configEtag } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { readGray } from "./gray-read.ts";
import { type GrayResource, grayAccess } from "./gray-resources.ts";
import { viewGray } from "./gray-views.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

/** Configs whose columns are read at a time; a Worker has six connections. */
const PARALLEL_READS_MAX = 5;

/** Each config is shown as its latest version is. */
export function registerGrayList(app: OpenAPIHono<AdminEnv>, resource: GrayResource): void {
  const route = declareRoute(
    { action: "list", resource: grayAccess(resource, "*"), also: "read on each that is shown" },
    {
      method: "get",
      path: resource.path,
      tags: ["typed configs"],
      summary: `List each ${resource.word} by its latest version, by name`,
      description: "Those that the caller may read; a page may have fewer than limit.",
      request: { query: grayListQuery },
      responses: { 200: { description: "A page", content: json(listOf(resource.views.latest)) } },
    },
  );
  app.openapi(route, async (c) => {
    const { tenant: named, consistency, ...page } = c.req.valid("query");
    const { core, tenantOf } = c.var.deps;
    const tenant = await tenantOf(c, named);
    await requireDeclared(c, { tenant });
    const input = omitUndefined({ ...grayNamespace(tenant, resource.kind), ...page });
    const { items, next_cursor } = await core.listConfigs(input, {
      consistency,
      traceparent: c.var.traceparent,
    });
    const shown = await readableOf(c, resource, tenant, items);
    const views: Record<string, unknown>[] = [];
    for (let i = 0; i < shown.length; i += PARALLEL_READS_MAX) {
      const some = shown.slice(i, i + PARALLEL_READS_MAX);
      const read = await Promise.all(some.map((config) => viewLatest(c, resource, config, consistency)));
      views.push(...read.filter((view) => view !== null));
    }
    return c.json({ items: views, next_cursor }, 200);
  });
}

/** Those that the caller may read: their columns are their content. Who may read all of the kind is asked for once. */
async function readableOf(
  c: Context<AdminEnv>,
  { kind }: GrayResource,
  tenant: string,
  configs: readonly Config[],
): Promise<Config[]> {
  const { principal } = c.var;
  const { app, env } = grayNamespace(tenant, kind);
  if (await principal.allows("read", `${tenant}/${app}/${env}/*`)) return [...configs];
  const readable: Config[] = [];
  for (const config of configs) {
    if (await principal.allows("read", fullName(config.namespace, config.name))) readable.push(config);
  }
  return readable;
}

/** Null for one that was deleted meanwhile, or was written before its namespace was that of typed configs. */
async function viewLatest(
  c: Context<AdminEnv>,
  resource: GrayResource,
  config: Config,
  consistency: Consistency,
): Promise<Record<string, unknown> | null> {
  const { regions, log } = c.var.deps;
  try {
    const latest = await readGray(c, config, consistency);
    return { ...viewGray(resource, latest, regions), etag: configEtag(config.revision) };
  } catch (error) {
    const isLeftOut =
      error instanceof ConfluxError && (error.code === "not_found" || error.code === "conflict");
    if (!isLeftOut) throw error;
    log({
      level: "warn",
      message: "left out of a list of typed configs",
      config_id: config.id,
      error: error.message,
      trace_id: c.var.traceId,
    });
    return null;
  }
}
