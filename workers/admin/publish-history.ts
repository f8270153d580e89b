import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { IndexSigner } from "../../adapters/index-signature/index-signer.ts";
import {
  type MovePlace,
  type PublishHistoryFilters,
  type PublishMoveRow,
  searchPublishHistory,
} from "../../adapters/postgres/search-publish-history.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { idParams } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import {
  configHistoryQuery,
  publishHistoryList,
  publishHistoryQuery,
} from "../../contracts/publish/publish-history-api.ts";
import { placeOfConfigType, readVersionName, versionNameOf } from "../../domain/publish/config-type.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

const responses = {
  200: {
    description: "A page, newest first; a move is here about a second after it was made",
    content: json(publishHistoryList),
  },
};

const searchRoute = declareRoute(
  { action: "list", resource: "{tenant}/{app or *}/{env or *}/*" },
  {
    method: "get",
    path: "/api/v1/gray/publish-history",
    tags: ["publishes"],
    summary: "Every move of publish plans in a tenant, deleted configs included",
    request: { query: publishHistoryQuery },
    responses,
  },
);

const ofConfigRoute = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/publish-history",
    tags: ["publishes"],
    summary: "Every move of a config's publish plans",
    request: { params: idParams, query: configHistoryQuery },
    responses,
  },
);

/** What the plans of configs did (P3). Read from Postgres, so away with it. */
export function registerPublishHistory(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(searchRoute, async (c) => {
    const { tenant: named, config_type: configType, config_id, ...query } = c.req.valid("query");
    const place = placeOf(query, configType === undefined ? null : placeOfConfigType(configType));
    const page = pageOf(query);
    const tenant = await resolveTenant(c, deps, named);
    await requireDeclared(c, { tenant, ...place });
    const wanted = { ...place, ...page, configType, configIds: [config_id, ...page.configIds] };
    return c.json(await search(c, deps, tenant, wanted), 200);
  });

  app.openapi(ofConfigRoute, async (c) => {
    const page = pageOf(c.req.valid("query"));
    const { id, namespace } = await findConfig(c, c.req.valid("param").id);
    return c.json(
      await search(c, deps, namespace.tenant, { ...page, configIds: [id, ...page.configIds] }),
      200,
    );
  });
}

type Names = { app?: string | undefined; env?: string | undefined };

/** The app and env to look in: those of the request and of the type, which must agree. */
function placeOf({ app, env }: Names, ofType: { app: string; env: string } | null): Names {
  if (ofType === null) return { app, env };
  for (const [key, given] of [
    ["app", app],
    ["env", env],
  ] as const) {
    if (given === undefined || given === ofType[key]) continue;
    throw new ConfluxError("validation_failed", "The type of config is nowhere in this namespace.", {
      errors: [{ path: `/query/${key}`, message: `${ofType[key]}, or left out` }],
    });
  }
  return ofType;
}

interface Page {
  /** That a version's name says. */
  configIds: (string | undefined)[];
  versionId: number | undefined;
  publishId: string | undefined;
  limit: number;
  cursor: MovePlace | null;
}

function pageOf(query: {
  version_id?: string | undefined;
  publish_id?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}): Page {
  const { version_id, publish_id: publishId, limit, cursor } = query;
  const named = version_id === undefined ? null : readVersionName(version_id);
  return {
    configIds: [named?.configId ?? undefined],
    versionId: named?.version,
    publishId,
    limit,
    cursor: cursor === undefined ? null : parseCursor(cursor),
  };
}

function parseCursor(text: string): MovePlace {
  const [, createdAtMs, logIndex, place] = /^(\d{1,14})_(\d{1,15})_(\d{1,4})$/.exec(text) ?? [];
  if (createdAtMs !== undefined && logIndex !== undefined && place !== undefined) {
    return { createdAtMs: Number(createdAtMs), logIndex: Number(logIndex), place: Number(place) };
  }
  throw new ConfluxError("validation_failed", "The cursor is none that this list gave.", {
    errors: [{ path: "/query/cursor", message: "the next_cursor of the page before" }],
  });
}

async function search(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  tenant: string,
  wanted: PublishHistoryFilters & Page,
) {
  const { items, nextCursor: next } = await withTenant(deps.database(c), tenant, (tx) =>
    searchPublishHistory(tx, wanted),
  );
  const { indexSigner } = c.var.deps;
  return {
    items: await Promise.all(items.map((row) => viewMove(row, indexSigner))),
    next_cursor: next === null ? null : `${next.createdAtMs}_${next.logIndex}_${next.place}`,
  };
}

async function viewMove(row: PublishMoveRow, signer: IndexSigner) {
  const { clusterId, epoch, logIndex, place } = row;
  const at = row.createdAt.toISOString();
  const nameOf = (version: number) => versionNameOf(row.configType, row.configId, version);
  return {
    id: `${clusterId}.${epoch}.${logIndex}.${place}`,
    publish_id: row.publishId,
    config_id: row.configId,
    namespace: { tenant: row.tenantId, app: row.app, env: row.env },
    name: row.name,
    config_type: row.configType,
    version_id: nameOf(row.versionId),
    previous_version_id: row.previousVersionId === null ? null : nameOf(row.previousVersionId),
    from_status: row.fromStatus,
    status: row.status,
    stage: row.stage,
    gray_groups: row.grayGroups,
    cause: row.cause,
    reason: row.reason,
    operator: row.operator,
    operator_type: row.operatorType,
    operator_id: row.operatorId,
    index: await signer.sign({ cluster_id: clusterId, epoch, index: logIndex }),
    gmt_create: at,
    gmt_modified: at,
  };
}
