import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import type { AdminEnv } from "./principal.ts";

/**
 * Proposes a new config with the tenant's limit (A6). While the core is upgraded from a build that knows none, the limit
 * does not hold up the work: then it is proposed without.
 */
export async function proposeConfig(
  c: Context<AdminEnv>,
  command: CommandOf<"create_config">,
  content: { attachments: Uint8Array[]; seal: { key_id: string | null } | undefined },
) {
  const { core, log } = c.var.deps;
  const options = { traceparent: c.var.traceparent };
  try {
    return await core.propose({ command, ...content }, options);
  } catch (error) {
    if (!(error instanceof ConfluxError && error.code === "upgrade_in_progress")) throw error;
    const { max_configs: _unknown, ...payload } = command.payload;
    const answer = await core.propose({ command: { ...command, payload }, ...content }, options);
    const { tenant, trace_id } = command;
    log({
      level: "warn",
      message: "max_configs was not asked: the core is being upgraded",
      tenant,
      trace_id,
    });
    return answer;
  }
}
