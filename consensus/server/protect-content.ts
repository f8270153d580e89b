import { z } from "zod";
import type { SealingKeys } from "../../adapters/kms/content-sealer.ts";
import { encodeCommand, type EncodedCommand } from "../../contracts/core/command-codec.ts";
import { COMMAND_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Command } from "../../domain/command/command.ts";
import { KMS_KEY_ID } from "../../domain/encryption/envelope-text.ts";
import { type Sealing, sealingOf } from "../../domain/encryption/sealing-of.ts";
import { withoutContent } from "../../domain/encryption/with-content.ts";
import { requireLeader } from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";
import { requireSupported } from "./version-gate.ts";

/** A command as it may enter the log. */
export interface ProtectedCommand {
  command: Command;
  body: Uint8Array;
}

/**
 * The one gate between what callers send and the log (K1, K5): the content of an encrypted config passes it as an envelope
 * only. `toSeal`: the caller sent contents to be sealed, under these keys; undefined: it did not. Only a leader that knows all that is committed decides about a config that it does not find, or seals.
 */
export async function protectContent(
  core: CoreContext,
  { body, command, attachments }: EncodedCommand & { body: Uint8Array },
  toSeal: SealingKeys | undefined,
): Promise<ProtectedCommand> {
  let sealing = decide(core, command, toSeal !== undefined);
  if (sealing.do === "pass") return { command, body };
  await requireLeader(core);
  sealing = decide(core, command, toSeal !== undefined);
  if (sealing.do === "pass") return { command, body };
  if (sealing.do === "drop") return encode(withoutContent(command));
  const { identities } = sealing;
  if (core.sealer === null) {
    throw new ConfluxError(
      "conflict",
      "this core has no key service: KMS_ENDPOINT or a KMS role is not set up",
    );
  }
  requireSupported("sealed_content", () => core.log.status(), core.peers);
  try {
    const under = toSeal ?? { keyId: null, byApp: {} };
    return encode(await core.sealer.seal({ command, attachments }, { identities, under }));
  } finally {
    // What is to be encrypted is not kept longer than it takes.
    body.fill(0);
  }
}

const sealKeysSchema = z.record(z.string().max(128), z.string().regex(KMS_KEY_ID));

/** The keys that a request names: one in its query, and those of applications with its command. Throws `malformed_request`. */
export function sealingKeysOf(query: URLSearchParams, sealKeys: unknown): SealingKeys {
  const keyId = query.get("key_id");
  const byApp = sealKeysSchema.safeParse(sealKeys ?? {});
  if ((keyId === null || KMS_KEY_ID.test(keyId)) && byApp.success) return { keyId, byApp: byApp.data };
  const path = byApp.success ? "/key_id" : "/seal_keys";
  throw new ConfluxError("malformed_request", "a key is not valid", {
    errors: [{ path, message: "the id, alias or ARN of a KMS key" }],
  });
}

function decide(core: CoreContext, command: Command, toBeSealed: boolean): Sealing {
  const sealing = sealingOf(core.store, command, toBeSealed);
  if (sealing.ok) return sealing;
  throw new ConfluxError(sealing.code, sealing.detail, { errors: sealing.errors ?? [] });
}

function encode(prepared: EncodedCommand): ProtectedCommand {
  const body = encodeCommand(prepared);
  if (body.byteLength > COMMAND_BYTES_MAX) {
    const detail = `sealed, the command has ${body.byteLength} bytes; at most ${COMMAND_BYTES_MAX}`;
    throw new ConfluxError("payload_too_large", detail);
  }
  return { command: prepared.command, body };
}
