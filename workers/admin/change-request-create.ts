import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import {
  changeRequestRequest,
  changeRequestWritten,
  isOfSeveral,
} from "../../contracts/change-request/change-request-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import type { ChangeRequestInput } from "../../domain/command/command.ts";
import { answerChangeRequest } from "./answer-change-request.ts";
import { commandHead } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import type { AdminEnv } from "./principal.ts";
import { proposeChangeOfOne, proposeChangeOfSeveral } from "./propose-change.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/change-requests",
    tags: ["changes"],
    summary: "Ask for a change of a config, or of several, for others to approve",
    description:
      "Nothing is changed before the request is executed. It is of the config as it is now, or as If-Match names it. Contents are kept beside the request while it is open. A batch or a bundle (apply) needs write on each config that it changes, and is executed as a whole or not at all.",
    request: { headers: updateHeaders, body: { required: true, content: json(changeRequestRequest) } },
    responses: { 201: { description: "Open", content: json(changeRequestWritten) } },
  },
);

/** C14: who may write configs may ask for any change of them. */
export function registerChangeRequestCreate(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const make = async (tenant: string, payload: ChangeRequestInput) => ({
      ...(await commandHead(c, tenant)),
      kind: "request_change" as const,
      payload,
    });
    const answer = await ask(c, body, make);
    c.header("location", `/api/v1/mgt/change-requests/${answer.result.request.id}`);
    return c.json(await answerChangeRequest(c, answer), 201);
  });
}

async function ask(
  c: Context<AdminEnv>,
  { config_id = "", operation, description }: z.output<typeof changeRequestRequest>,
  make: Parameters<typeof proposeChangeOfSeveral>[2],
) {
  if (isOfSeveral(operation)) return proposeChangeOfSeveral(c, { operation, description }, make);
  const { config, live, revision } = await findConfigForWrite(c, config_id);
  const of = { config, live, revision: revision ?? live?.revision ?? 0 };
  return proposeChangeOfOne(c, { operation, description }, of, make);
}
