import type { Context } from "hono";
import type {
  OperationOfOneBody,
  OperationOfSeveralBody,
} from "../../contracts/change-request/change-request-api.ts";
import type { ProposeAnswer } from "../../contracts/core/core-api.ts";
import type { SealUnder } from "../../contracts/core/core-port.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ChangeRequestInput, CommandOf, OperationOfSeveral } from "../../domain/command/command.ts";
import type { Config, DeletedConfig } from "../../domain/config/config.ts";
import { readBatch } from "./batch-request.ts";
import { requireToAskFor } from "./bundle-permissions.ts";
import { planFor, proposePlanned, readBundleCommand } from "./bundle-planned.ts";
import type { AdminEnv } from "./principal.ts";
import { readOperation } from "./read-operation.ts";

type Answer = ProposeAnswer<"request_change" | "edit_change">;
/** The command that asks for a change of a tenant's configs. */
type Make = (
  tenant: string,
  input: ChangeRequestInput,
) => Promise<CommandOf<"request_change"> | CommandOf<"edit_change">>;

/** Asks for an operation of one config, as it is at `revision`. */
export async function proposeChangeOfOne(
  c: Context<AdminEnv>,
  { operation: body, description }: { operation: OperationOfOneBody; description: string },
  of: { config: DeletedConfig; live: Config | null; revision: number },
  make: Make,
): Promise<Answer> {
  const at = body.type === "version" || body.type === "publish" ? `/operation/${body.type}` : "/operation";
  const { operation, attachments, seal } = await underPath(at, () => readOperation(c, body, of));
  const input = { config_id: of.config.id, config_revision: of.revision, operation, description };
  return propose(c, await make(of.config.namespace.tenant, input), { attachments, seal });
}

/**
 * Asks for an operation of several configs, checked like the route that would do it at once. The caller must be allowed what the
 * route declares on each config of a batch, and on each that a bundle changes.
 */
export async function proposeChangeOfSeveral(
  c: Context<AdminEnv>,
  { operation: body, description }: { operation: OperationOfSeveralBody; description: string },
  make: Make,
): Promise<Answer> {
  const ask = async (
    tenant: string,
    operation: OperationOfSeveral,
    contents: { attachments: Uint8Array[]; seal?: SealUnder | undefined },
  ): Promise<Answer> => {
    const input = { config_id: null, config_revision: null, operation, description };
    return propose(c, await make(tenant, input), contents);
  };
  if (body.type === "batch") {
    const { abort_plan } = body;
    const read = await underPath("/operation/batch", () => readBatch(c, body.batch, { isOfNow: true }));
    const payload = { items: read.items, abort_plan };
    return ask(read.tenant, { kind: "batch_releases", payload }, read);
  }
  const inApply = <T>(work: () => Promise<T>): Promise<T> => underPath("/operation/apply", work);
  const { command, attachments } = await inApply(() => readBundleCommand(c, body.apply, body));
  const plan = () => inApply(() => planFor(c, command, requireToAskFor));
  return proposePlanned(
    command,
    plan,
    (payload) => ask(command.tenant, { kind: "apply_bundle", payload }, { attachments }),
    "/operation/apply",
  );
}

function propose(
  c: Context<AdminEnv>,
  command: CommandOf<"request_change"> | CommandOf<"edit_change">,
  { attachments, seal }: { attachments: Uint8Array[]; seal?: SealUnder | undefined },
): Promise<Answer> {
  const { core } = c.var.deps;
  return core.propose({ command, attachments, seal }, { traceparent: c.var.traceparent });
}

/** Says of a refusal where in the request's body it is of. */
async function underPath<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfluxError)) throw error;
    const { code, message, retryAfterS } = error;
    const errors = error.errors.map((field) => ({ ...field, path: prefix + field.path }));
    const options = { errors, cause: error, ...(retryAfterS === undefined ? {} : { retryAfterS }) };
    throw new ConfluxError(code, message, options);
  }
}
