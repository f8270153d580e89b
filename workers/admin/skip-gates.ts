import type { Context } from "hono";
import type { z } from "zod";
import type { skipGatesQuery, skipGatesRequest } from "../../contracts/publish/publish-gate-schemas.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { DeletedConfig } from "../../domain/config/config.ts";
import type { AdminEnv } from "./principal.ts";
import { requirePermission } from "./require-permission.ts";

/**
 * Why a stage is to go on without its gates; null when nobody asks for that. Refuses (`forbidden`) a caller who may not
 * approve changes of the config: else who publishes would pass the word of others; and (`validation_failed`) a reason
 * without the wish, or a wish without a reason.
 */
export async function skipGates(
  c: Context<AdminEnv>,
  { namespace, name }: Pick<DeletedConfig, "namespace" | "name">,
  { skip_gates, reason }: z.output<typeof skipGatesQuery> & z.output<typeof skipGatesRequest>,
): Promise<string | null> {
  const isAsked = skip_gates === "true";
  if (isAsked !== (reason !== undefined)) {
    const message = isAsked ? "skip_gates=true needs a reason" : "only with skip_gates=true";
    throw new ConfluxError("validation_failed", message, { errors: [{ path: "/reason", message }] });
  }
  if (reason === undefined) return null;
  await requirePermission(c, "approve", fullName(namespace, name));
  return reason;
}
