import { sha256Hex } from "../../adapters/digest/sha256-hex.ts";
import { type Command, COMMAND_FORMAT_VERSION } from "../../domain/command/command.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";

const ACTOR = { type: "system", id: "publish-stage", name: "publish-stage" } as const;

/**
 * What a command of publish-stage carries besides its payload. `what` is all there is to the request, so one digest of it
 * serves as idempotency key and as body.
 */
export async function publishCommandHead(
  plan: Pick<PublishPlan, "namespace">,
  traceId: string,
  what: readonly (string | number)[],
  expectedRevision: number | null = null,
): Promise<Omit<Command, "kind" | "payload">> {
  const key = await sha256Hex(JSON.stringify(what));
  return {
    tenant: plan.namespace.tenant,
    trace_id: traceId,
    format: COMMAND_FORMAT_VERSION,
    actor: ACTOR,
    ip: "",
    idempotency: { scope: key, digest: key },
    expected_revision: expectedRevision,
  };
}
