import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { configDeleted } from "../../contracts/config/config-schemas.ts";
import { idParams, updateHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { DeletedConfig } from "../../domain/config/config.ts";
import { commandHead, expectedRevision, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";
import { requireConfigPermission } from "./require-permission.ts";

const route = declareRoute(
  { action: "delete", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "delete",
    path: "/api/v1/mgt/configs/{id}",
    tags: ["configs"],
    summary: "Delete a config with all its versions and rules",
    description:
      "Clients stop getting it at once, and its publish plans go with it. A repetition answers 404, or the first result when it bears the same idempotency key.",
    request: { params: idParams, headers: updateHeaders },
    responses: { 200: { description: "Deleted", content: json(configDeleted) } },
  },
);

export function registerConfigDelete(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { config, revision } = await findForDelete(c, c.req.valid("param").id);
    const command = {
      ...(await commandHead(c, config.namespace.tenant, revision)),
      kind: "delete_config" as const,
      payload: { config_id: config.id },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    return c.json({ id: answer.result.config_id, index: await writtenIndex(c, answer) }, 200);
  });
}

/**
 * The config to delete and the revision that `If-Match` asks for. With an idempotency key a config that is gone is
 * found too: the request may be a repetition, and the core knows its first result (or refuses `not_found`).
 */
async function findForDelete(
  c: Context<AdminEnv>,
  id: string,
): Promise<{ config: DeletedConfig; revision: number | null }> {
  try {
    const config = await findConfig(c, "delete", id);
    return { config, revision: expectedRevision(c, config) };
  } catch (error) {
    const isGone = error instanceof ConfluxError && error.code === "not_found";
    if (!isGone || c.req.header("x-idempotency-key") === undefined) throw error;
    const { deleted } = await c.var.deps.core.getDeletedConfig(id, { traceparent: c.var.traceparent });
    await requireConfigPermission(c, "delete", deleted);
    return { config: deleted, revision: null };
  }
}
