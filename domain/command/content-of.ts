import { contentOfOperation } from "../change-request/held-content.ts";
import type { Command, ContentRef } from "./command.ts";

/** Every content that a command carries as an attachment. */
export function contentsOf(command: Command): ContentRef[] {
  switch (command.kind) {
    case "batch_releases":
      return command.payload.items.flatMap(({ content }) => content ?? []);
    case "apply_bundle":
      return command.payload.configs
        .flatMap(({ content, versions }) => [content, ...versions.map((version) => version.content)])
        .flatMap(({ attachment, sha256 }) => (attachment === null ? [] : [{ attachment, sha256 }]));
    default: {
      const content = contentOf(command);
      return content === null ? [] : [content];
    }
  }
}

/** The content that a command carries as an attachment; null when it carries none. */
export function contentOf(command: Command): ContentRef | null {
  switch (command.kind) {
    case "create_config":
    case "create_version":
    case "write_draft":
    case "start_publish":
      return command.payload.content;
    case "request_change":
    case "edit_change":
      return contentOfOperation(command.payload.operation);
    default:
      return null;
  }
}
