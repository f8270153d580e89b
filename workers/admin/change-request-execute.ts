import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import {
  changeExecution,
  changeRequestParams,
  changeRequestWritten,
} from "../../contracts/change-request/change-request-api.ts";
import { changeHeaders } from "../../contracts/config/fields.ts";
import type { ChangeRequest } from "../../domain/change-request/change-request.ts";
import { fullName } from "../../domain/config/config-name.ts";
import { answerChangeRequest } from "./answer-change-request.ts";
import { asDigested } from "./as-digested.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { changedConfigs, findChangeRequest } from "./find-change-request.ts";
import type { AdminEnv } from "./principal.ts";
import { requireEach } from "./require-each.ts";
import { requirePermission } from "./require-permission.ts";

const route = declareRoute(
  {
    action: "publish",
    resource: "{tenant}/{app}/{env}/{name}",
    also: "delete on it, to delete; approve on it, to pass a freeze",
  },
  {
    method: "post",
    path: "/api/v1/mgt/change-requests/{crid}/execute",
    tags: ["changes"],
    summary: "Make the change and end the request, both or neither",
    description:
      "409 approval_required while too few have approved it; 412 when a config has changed since; what the change itself is refused with leaves the request open. To delete, the caller also needs the permission delete. A request of several configs asks for the permission on each that it changes.",
    request: {
      params: changeRequestParams,
      headers: changeHeaders,
      body: { required: true, content: json(changeExecution) },
    },
    responses: { 200: { description: "As it is now", content: json(changeRequestWritten) } },
  },
);

export function registerChangeRequestExecute(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const request = await findChangeRequest(c, c.req.valid("param").crid);
    await requireToDelete(c, request);
    const { digest } = c.req.valid("json");
    const pass = await breakGlass(c, ...changedConfigs(request));
    const { core } = c.var.deps;
    const answer = await asDigested(c, request, digest, async (revision) => {
      const command = {
        ...(await commandHead(c, request.namespace.tenant, revision)),
        ...pass,
        kind: "execute_change" as const,
        payload: { change_request_id: request.id, digest },
      };
      return core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    });
    return c.json(await answerChangeRequest(c, answer), 200);
  });
}

/** Refuses (`forbidden`) a caller who may not delete what the request deletes. */
async function requireToDelete(
  c: Context<AdminEnv>,
  { namespace, name, operation, targets = [] }: ChangeRequest,
): Promise<void> {
  if (operation.kind === "delete_config") await requirePermission(c, "delete", fullName(namespace, name));
  const deleted = targets.filter(({ action }) => action === "delete");
  await requireEach(
    c,
    namespace.tenant,
    deleted.map((target) => ({ ...target, action: "delete" as const })),
  );
}
