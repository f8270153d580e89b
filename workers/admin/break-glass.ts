import type { Context } from "hono";
import { BREAK_GLASS_HEADER } from "../../contracts/config/fields.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { DeletedConfig } from "../../domain/config/config.ts";
import type { AdminEnv } from "./principal.ts";
import { requirePermission } from "./require-permission.ts";

/**
 * What a command carries to pass a freeze window (C14): the reason that the request gives, if it gives one. Refuses
 * (`forbidden`) a caller who may not approve changes of the config.
 */
export async function breakGlass(
  c: Context<AdminEnv>,
  { namespace, name }: Pick<DeletedConfig, "namespace" | "name">,
): Promise<{ break_glass?: string }> {
  const reason = c.req.header(BREAK_GLASS_HEADER);
  if (reason === undefined) return {};
  await requirePermission(c, "approve", fullName(namespace, name));
  return { break_glass: reason };
}
