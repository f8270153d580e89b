import type { Context } from "hono";
import { identityOf } from "../../domain/encryption/envelope-text.ts";
import type { GrayContent } from "../../domain/gray-config/gray-content.ts";
import type { DeletedConfig } from "../../domain/config/config.ts";
import { sealUnder } from "./encryption-keys.ts";
import type { AdminEnv } from "./principal.ts";

type Sealed = GrayContent["sealedSecret"];

/**
 * The access key's secret as a version keeps it (P7): what was there (`before`) when none is given, nothing for the empty
 * text, and else its envelope, which the core makes under the key of the application `gray` or its default one.
 */
export async function sealAccessKey(
  c: Context<AdminEnv>,
  { namespace, name }: Pick<DeletedConfig, "namespace" | "name">,
  given: unknown,
  before: Sealed,
): Promise<Sealed> {
  if (typeof given !== "string") return before;
  if (given === "") return null;
  const { key_id } = await sealUnder(c, namespace);
  const secret = new TextEncoder().encode(given);
  const identity = identityOf(namespace, name);
  const { core } = c.var.deps;
  const envelope = await core.sealSecret({ identity, key_id, secret }, { traceparent: c.var.traceparent });
  return JSON.parse(new TextDecoder().decode(envelope)) as Record<string, unknown>;
}
