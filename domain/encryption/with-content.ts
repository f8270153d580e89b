import type { ChangeOperation, Command, ContentRef } from "../command/command.ts";
import { commandAskedFor } from "../change-request/change-request.ts";

/** A command with what the log may hold of its content. */
export interface PreparedCommand {
  command: Command;
  attachments: readonly Uint8Array[];
}

/** SHA-256 of nothing. */
const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** The command without its contents: for one of a config that is not there, so that it is refused or answered from memory. */
export function withoutContent(command: Command): PreparedCommand {
  return {
    command: withContents(command, () => ({ attachment: 0, sha256: EMPTY_SHA256 })),
    attachments: [new Uint8Array()],
  };
}

/**
 * The command with other contents: `next` is asked for each of `contentsOf`, in their order. Throws for a kind that has
 * none, and for a bundle, whose contents are never sealed.
 */
export function withContents(command: Command, next: () => ContentRef): Command {
  switch (command.kind) {
    case "create_config":
      return { ...command, payload: { ...command.payload, content: next() } };
    case "create_version":
      return { ...command, payload: { ...command.payload, content: next() } };
    case "start_publish":
      return { ...command, payload: { ...command.payload, content: next() } };
    case "batch_releases": {
      const items = command.payload.items.map((item) =>
        item.content === null ? item : { ...item, content: next() },
      );
      return { ...command, payload: { ...command.payload, items } };
    }
    case "request_change":
    case "edit_change": {
      const { kind, payload } = withContents(commandAskedFor(command), next);
      const operation = { kind, payload } as ChangeOperation;
      return { ...command, payload: { ...command.payload, operation } } as Command;
    }
    default:
      throw new Error(`a ${command.kind} has no content`);
  }
}
