import type { Context } from "hono";
import type { CommandOf, CommandPayloads } from "../../domain/command/command.ts";
import { answerChangeRequest } from "./answer-change-request.ts";
import { asDigested } from "./as-digested.ts";
import { commandHead, expectedRevision } from "./command-head.ts";
import { findChangeRequest, refuseExpired } from "./find-change-request.ts";
import type { AdminEnv } from "./principal.ts";

type StepKind = "approve_change" | "reject_change" | "withdraw_change";
/** A step, with what its body says. */
type Step = {
  [K in StepKind]: { kind: K; body: Omit<CommandPayloads[K], "change_request_id"> };
}[StepKind];

/** Takes one step with a change request that changes nothing but the request itself. */
export async function stepChangeRequest(c: Context<AdminEnv>, crid: string, { kind, body }: Step) {
  const request = await findChangeRequest(c, crid);
  const { core } = c.var.deps;
  const propose = async (revision: number | null) => {
    const command = {
      ...(await commandHead(c, request.namespace.tenant, revision)),
      kind,
      payload: { change_request_id: request.id, ...body },
    } as { [K in StepKind]: CommandOf<K> }[StepKind];
    return core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
  };
  if ("digest" in body) return answerChangeRequest(c, await asDigested(c, request, body.digest, propose));
  refuseExpired(request);
  return answerChangeRequest(c, await propose(expectedRevision(c, request)));
}
