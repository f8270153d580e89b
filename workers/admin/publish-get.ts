import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { readQuery } from "../../contracts/config/fields.ts";
import type { Consistency } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { publishParams, publishWithEnd } from "../../contracts/publish/publish-schemas.ts";
import { publishIdOf, type PublishPlan } from "../../domain/publish/publish-plan.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findPublish } from "./find-publish.ts";
import type { AdminEnv } from "./principal.ts";
import { viewPublish } from "./publish-views.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/publishes/{pid}",
    tags: ["publishes"],
    summary: "Get a publish plan",
    request: { params: publishParams, query: readQuery },
    responses: {
      200: { description: "The plan; ETag names its revision", content: json(publishWithEnd) },
    },
  },
);

export function registerPublishGet(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { consistency } = c.req.valid("query");
    const plan = await findPublish(c, c.req.valid("param").pid, consistency);
    const view = viewPublish(plan);
    c.header("etag", view.etag);
    return c.json({ ...view, superseded_by: await findSuccessor(c, plan, consistency) }, 200);
  });
}

/** The plan that began in the command which ended this one; null when that command began none. */
async function findSuccessor(
  c: Context<AdminEnv>,
  plan: PublishPlan,
  consistency: Consistency,
): Promise<string | null> {
  if (plan.state !== "aborted") return null;
  const id = publishIdOf(plan.config_id, plan.revision);
  try {
    const options = { consistency, traceparent: c.var.traceparent };
    return (await c.var.deps.core.getPublish(id, options)).publish.id;
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "not_found") return null;
    throw error;
  }
}
