import { encodeCommand } from "../../contracts/core/command-codec.ts";
import {
  type CoreRewrapAnswer,
  coreRewrapInput,
  type CoreRewrapInput,
  REWRAP_BODY_BYTES_MAX,
} from "../../contracts/encryption/rewrap-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CommandPayloads } from "../../domain/command/command.ts";
import { abilitiesNeeded } from "../../domain/command/command-kinds.ts";
import { findResult } from "../../domain/command/idempotency.ts";
import { rewrapCommand, rewrapResource } from "../../domain/encryption/rewrap-command.ts";
import { encodeLogEntry } from "../state/log-entry.ts";
import { readOperation, requireLeader } from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";
import type { CoreReply, CoreRequest } from "./http-router.ts";
import { requireSupported } from "./version-gate.ts";

/**
 * Wraps some data keys anew (K3): asks the key service for each, then puts all of them into the log as one command. What
 * was wrapped before a failure counts, and the answer says where to go on. Throws what contracts/core/core-port.ts says.
 */
export async function rewrapKeys(core: CoreContext, request: CoreRequest): Promise<CoreReply> {
  const input = await readOperation(request, coreRewrapInput, REWRAP_BODY_BYTES_MAX);
  await requireLeader(core);
  if (core.sealer === null) throw new ConfluxError("conflict", "this core has no key service");
  requireSupported("rewrap_keys", () => core.log.status(), core.peers);
  const resource = rewrapResource(input);
  // What was done under the same key is answered by the state machine, whatever the command holds.
  const made = hasResult(core, input)
    ? { items: [], next_cursor: null }
    : await core.sealer.rewrap(core.store, input);
  const answer = await propose(core, input, { resource, ...made });
  core.logger({
    level: "info",
    msg: "data keys wrapped anew",
    trace_id: request.traceId,
    tenant: input.tenant,
    rewrapped: answer.rewrapped,
  });
  return { json: answer };
}

function hasResult(core: CoreContext, { tenant, idempotency }: CoreRewrapInput): boolean {
  const nowMs = core.clock.stampMs(core.store.lastTimestampMs());
  return findResult(core.store, { tenant, idempotency: idempotency ?? null }, nowMs) !== null;
}

async function propose(
  core: CoreContext,
  input: CoreRewrapInput,
  payload: CommandPayloads["rewrap_keys"],
): Promise<CoreRewrapAnswer> {
  const command = rewrapCommand(input, payload);
  for (const ability of abilitiesNeeded(command)) {
    requireSupported(ability, () => core.log.status(), core.peers);
  }
  const stampMs = core.clock.stampMs(core.store.lastTimestampMs());
  const { result } = await core.log.propose(
    encodeLogEntry(stampMs, encodeCommand({ command, attachments: [] })),
  );
  if (!result.ok) throw new ConfluxError(result.code, result.detail, { errors: result.errors ?? [] });
  const { rewrapped, next_cursor } = result.result as { rewrapped: number; next_cursor: string | null };
  return { ...core.position(), index: result.index, replayed: result.replayed, rewrapped, next_cursor };
}
