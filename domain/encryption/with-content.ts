import type { Command, ContentRef, ChangeOperation } from "../command/command.ts";

/** A command with what the log may hold of its content. */
export interface PreparedCommand {
  command: Command;
  attachments: readonly Uint8Array[];
}

/** SHA-256 of nothing. */
const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** The command without its content: for one whose config is not there, so that it is refused or answered from memory. */
export function withoutContent(command: Command): PreparedCommand {
  return {
    command: withContent(command, { attachment: 0, sha256: EMPTY_SHA256 }),
    attachments: [new Uint8Array()],
  };
}

/** The command with another content. Throws for a kind that has none. */
export function withContent(command: Command, content: ContentRef): Command {
  switch (command.kind) {
    case "create_config":
      return { ...command, payload: { ...command.payload, content } };
    case "create_version":
      return { ...command, payload: { ...command.payload, content } };
    case "write_draft":
      return { ...command, payload: { ...command.payload, content } };
    case "start_publish":
      return { ...command, payload: { ...command.payload, content } };
    case "batch_releases": {
      const items = command.payload.items.map((item) =>
        item.content === null ? item : { ...item, content },
      );
      return { ...command, payload: { ...command.payload, items } };
    }
    case "request_change":
    case "edit_change": {
      const { operation } = command.payload;
      if (operation.kind !== "create_version" && operation.kind !== "start_publish") break;
      const changed = { ...operation, payload: { ...operation.payload, content } } as ChangeOperation;
      return { ...command, payload: { ...command.payload, operation: changed } } as Command;
    }
    default:
      break;
  }
  throw new Error(`a ${command.kind} has no content`);
}
