import type { Command, ContentRef } from "./command.ts";

import { contentOfOperation } from "../change-request/held-content.ts";

/** The content that a command carries as an attachment; null when it carries none. */
export function contentOf(command: Command): ContentRef | null {
  switch (command.kind) {
    case "create_config":
    case "create_version":
    case "start_publish":
      return command.payload.content;
    case "request_change":
    case "edit_change":
      return contentOfOperation(command.payload.operation);
    default:
      return null;
  }
}
