import type { SealUnder } from "../../contracts/core/core-port.ts";
import type { CoreRewrapInput } from "../../contracts/encryption/rewrap-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import { findResult } from "../../domain/command/idempotency.ts";
import type { StateView } from "../../domain/command/state-view.ts";
import { rewrapCommand, rewrapResource } from "../../domain/encryption/rewrap-command.ts";
import { sealingOf } from "../../domain/encryption/sealing-of.ts";
import { type PreparedCommand, withoutContent } from "../../domain/encryption/with-content.ts";
import type { ContentSealer } from "../kms/content-sealer.ts";

/** What the real core does with contents before its log has them (consensus/server/protect-content.ts). */
export async function protectInMemory(
  state: StateView,
  sealer: ContentSealer | null,
  { seal, ...given }: PreparedCommand & { seal?: SealUnder | undefined },
): Promise<PreparedCommand> {
  const sealing = sealingOf(state, given.command, seal !== undefined);
  if (!sealing.ok) throw new ConfluxError(sealing.code, sealing.detail, { errors: sealing.errors ?? [] });
  if (sealing.do === "pass") return given;
  if (sealing.do === "drop") return withoutContent(given.command);
  const under = { keyId: seal?.key_id ?? null, byApp: seal?.keys ?? {} };
  return needed(sealer).seal(given, { identities: sealing.identities, under });
}

/** The command that writes new wrappings down; one that was done under the same key is answered whatever it holds. */
export async function rewrapInMemory(
  state: StateView,
  sealer: ContentSealer | null,
  input: CoreRewrapInput & { nowMs: number },
): Promise<CommandOf<"rewrap_keys">> {
  const { tenant, idempotency = null } = input;
  const isDone = findResult(state, { tenant, idempotency }, input.nowMs) !== null;
  const made = isDone ? { items: [], next_cursor: null } : await needed(sealer).rewrap(state, input);
  return rewrapCommand(input, { resource: rewrapResource(input), ...made });
}

function needed(sealer: ContentSealer | null): ContentSealer {
  if (sealer === null) throw new ConfluxError("conflict", "this core has no key service");
  return sealer;
}
