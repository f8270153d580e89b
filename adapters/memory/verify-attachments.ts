import { sha256Hex } from "../digest/sha256-hex.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Command } from "../../domain/command/command.ts";
import { contentsOf } from "../../domain/command/content-of.ts";

/** Refuses a command whose attachment is not what its hash says. */
export async function verifyAttachments(command: Command, attachments: readonly Uint8Array[]): Promise<void> {
  for (const { attachment, sha256 } of contentsOf(command)) {
    const bytes = attachments[attachment];
    if (bytes === undefined)
      throw new ConfluxError("malformed_request", `the command carries no attachment ${attachment}`);
    if ((await sha256Hex(bytes)) !== sha256)
      throw new ConfluxError(
        "malformed_request",
        `attachment ${attachment} has another hash than its command says`,
      );
  }
}
