import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import {
  changeRequestEdit,
  changeRequestParams,
  changeRequestWritten,
  isOfSeveral,
} from "../../contracts/change-request/change-request-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ChangeRequestInput } from "../../domain/command/command.ts";
import { answerChangeRequest } from "./answer-change-request.ts";
import { commandHead, expectedRevision } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findChangeRequest, refuseExpired } from "./find-change-request.ts";
import type { AdminEnv } from "./principal.ts";
import { proposeChangeOfOne, proposeChangeOfSeveral } from "./propose-change.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "put",
    path: "/api/v1/mgt/change-requests/{crid}",
    tags: ["changes"],
    summary: "Edit a change request; every approval is void",
    description:
      "By its author alone, while it is open. It is of the config as it is now, or of the several; which they are may change.",
    request: {
      params: changeRequestParams,
      headers: updateHeaders,
      body: { required: true, content: json(changeRequestEdit) },
    },
    responses: {
      200: { description: "As it is now, without approvals", content: json(changeRequestWritten) },
    },
  },
);

export function registerChangeRequestEdit(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const request = await findChangeRequest(c, c.req.valid("param").crid);
    refuseExpired(request);
    const make = async (tenant: string, input: ChangeRequestInput) => {
      if (tenant !== request.namespace.tenant) throw ofAnother();
      return {
        ...(await commandHead(c, tenant, expectedRevision(c, request))),
        kind: "edit_change" as const,
        payload: { ...input, change_request_id: request.id },
      };
    };
    const { operation, description } = c.req.valid("json");
    return c.json(await answerChangeRequest(c, await ask()), 200);

    async function ask() {
      const { config_id } = request;
      if (isOfSeveral(operation)) {
        if (config_id !== null) throw ofAnother();
        return proposeChangeOfSeveral(c, { operation, description }, make);
      }
      if (config_id === null) throw ofAnother();
      return proposeChangeOfOne(c, { operation, description }, await configNow(c, config_id), make);
    }
  });
}

/** The config of a request as it is now, which the edited request is of. */
async function configNow(c: Context<AdminEnv>, id: string) {
  const { config } = await c.var.deps.core.getConfig(id, { traceparent: c.var.traceparent });
  return { config, live: config, revision: config.revision };
}

function ofAnother(): ConfluxError {
  const message = "a change request stays of its config, or of several of its tenant";
  return new ConfluxError("validation_failed", message, { errors: [{ path: "/operation", message }] });
}
