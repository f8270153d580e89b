import type { Command } from "../../domain/command/command.ts";

/**
 * A command on the wire and in the log:
 * one byte of format version, four bytes (big endian) of header length, the command as JSON, then the attachments
 * end to end. `attachments` in the header gives their lengths. Content stays raw bytes: nothing is base64 in the log.
 */
export const COMMAND_WIRE_VERSION = 1;
export const COMMAND_CONTENT_TYPE = "application/vnd.conflux.command";
/**
 * A command whose content the core must seal before it proposes it. A type of its own, so that a build which knows
 * nothing of it refuses the command instead of writing the content into its log.
 */
export const COMMAND_TO_SEAL_CONTENT_TYPE = "application/vnd.conflux.command-to-seal";
const PREFIX_BYTES = 5;
const utf8 = new TextEncoder();
const text = new TextDecoder();

export interface EncodedCommand {
  command: Command;
  attachments: readonly Uint8Array[];
  /** KMS keys by application, of a command to be sealed alone: under which key each content is. Never in the log. */
  sealKeys?: Readonly<Record<string, string>> | undefined;
}

/** Encodes a command with its attachments. Never fails for a command that satisfies its type. */
export function encodeCommand({ command, attachments, sealKeys }: EncodedCommand): Uint8Array {
  const sizes = attachments.map((a) => a.byteLength);
  const header = utf8.encode(JSON.stringify({ command, attachments: sizes, seal_keys: sealKeys }));
  const total = attachments.reduce((sum, a) => sum + a.byteLength, PREFIX_BYTES + header.byteLength);
  const out = new Uint8Array(total);
  out[0] = COMMAND_WIRE_VERSION;
  new DataView(out.buffer).setUint32(1, header.byteLength);
  out.set(header, PREFIX_BYTES);
  let offset = PREFIX_BYTES + header.byteLength;
  for (const attachment of attachments) {
    out.set(attachment, offset);
    offset += attachment.byteLength;
  }
  return out;
}

/**
 * Decodes what `encodeCommand` made. Throws a `RangeError` that says what is wrong for anything else:
 * an unknown version, a truncated header, attachments that do not fill the rest exactly.
 */
export function decodeCommand(bytes: Uint8Array): EncodedCommand {
  if (bytes.byteLength < PREFIX_BYTES) throw new RangeError("command shorter than its prefix");
  if (bytes[0] !== COMMAND_WIRE_VERSION) throw new RangeError(`unknown command wire version ${bytes[0]}`);
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  let offset = PREFIX_BYTES + headerBytes;
  if (offset > bytes.byteLength) throw new RangeError("command header is truncated");
  const header: unknown = JSON.parse(text.decode(bytes.subarray(PREFIX_BYTES, offset)));
  const {
    command,
    attachments: sizes,
    seal_keys: sealKeys,
  } = header as { command: Command; attachments: number[]; seal_keys?: Record<string, string> };
  if (!Array.isArray(sizes)) throw new RangeError("command header names no attachments");
  const attachments: Uint8Array[] = [];
  for (const size of sizes) {
    if (!Number.isInteger(size) || size < 0 || offset + size > bytes.byteLength) {
      throw new RangeError("command attachment is truncated");
    }
    attachments.push(bytes.subarray(offset, offset + size));
    offset += size;
  }
  if (offset !== bytes.byteLength) throw new RangeError("bytes after the last command attachment");
  return { command, attachments, ...(sealKeys === undefined ? {} : { sealKeys }) };
}
