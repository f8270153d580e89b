import type { Context } from "hono";
import { BREAK_GLASS_HEADER } from "../../contracts/config/fields.ts";
import type { DeletedConfig } from "../../domain/config/config.ts";
import type { AdminEnv } from "./principal.ts";
import { requireEach } from "./require-each.ts";

/**
 * What a command carries to pass a freeze window (C14): the reason that the request gives, if it gives one. Refuses
 * (`forbidden`) a caller who may not approve changes of each of the configs.
 */
export async function breakGlass(
  c: Context<AdminEnv>,
  ...configs: readonly Pick<DeletedConfig, "namespace" | "name">[]
): Promise<{ break_glass?: string }> {
  const reason = c.req.header(BREAK_GLASS_HEADER);
  if (reason === undefined) return {};
  const wanted = configs.map(({ namespace, name }) => ({ action: "approve" as const, ...namespace, name }));
  await requireEach(c, configs[0]?.namespace.tenant ?? "", wanted);
  return { break_glass: reason };
}
