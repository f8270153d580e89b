import { createHash } from "node:crypto";
import { encodeCommand } from "../../contracts/core/command-codec.ts";
import type { Command } from "../../domain/command/command.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import { encodeLogEntry } from "./log-entry.ts";

/** Log entries for tests of the state store. */
export function entryOf(
  index: number,
  command: Command,
  attachments: Uint8Array[] = [],
): { index: number; data: Uint8Array } {
  return { index, data: encodeLogEntry(1000 + index, encodeCommand({ command, attachments })) };
}

/** Creates the config `<name>` with `text`. */
export function createEntry(index: number, name: string, text = "{}"): { index: number; data: Uint8Array } {
  const bytes = new TextEncoder().encode(text);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return entryOf(index, testCommand("create_config", testConfigPayload(name, sha256)), [bytes]);
}
