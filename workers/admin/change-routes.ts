import type { OpenAPIHono } from "@hono/zod-openapi";
import { registerChangeRequestApprove } from "./change-request-approve.ts";
import { registerChangeRequestContent } from "./change-request-content.ts";
import { registerChangeRequestCreate } from "./change-request-create.ts";
import { registerChangeRequestEdit } from "./change-request-edit.ts";
import { registerChangeRequestExecute } from "./change-request-execute.ts";
import { registerChangeRequestGet } from "./change-request-get.ts";
import { registerChangeRequestList } from "./change-request-list.ts";
import { registerChangeRequestReject } from "./change-request-reject.ts";
import { registerChangeRequestWithdraw } from "./change-request-withdraw.ts";
import { registerChangeRulesGet } from "./change-rules-get.ts";
import { registerChangeRulesPut } from "./change-rules-put.ts";
import type { AdminEnv } from "./principal.ts";

/** C14: what a tenant asks of changes, and changes that wait for approval. */
export const CHANGE_ROUTES: readonly ((app: OpenAPIHono<AdminEnv>) => void)[] = [
  registerChangeRulesGet,
  registerChangeRulesPut,
  registerChangeRequestCreate,
  registerChangeRequestList,
  registerChangeRequestGet,
  registerChangeRequestContent,
  registerChangeRequestEdit,
  registerChangeRequestApprove,
  registerChangeRequestReject,
  registerChangeRequestWithdraw,
  registerChangeRequestExecute,
];
