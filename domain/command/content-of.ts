import { commandAskedFor } from "../change-request/change-request.ts";
import type { Command, ContentRef } from "./command.ts";

/** Every content that a command carries as an attachment, in the order of its places. */
export function contentsOf(command: Command): ContentRef[] {
  switch (command.kind) {
    case "create_config":
    case "create_version":
      return [command.payload.content];
    case "start_publish":
      return command.payload.content === null ? [] : [command.payload.content];
    case "batch_releases":
      return command.payload.items.flatMap(({ content }) => content ?? []);
    case "apply_bundle":
      return command.payload.configs
        .flatMap(({ content, versions }) => [content, ...versions.map((version) => version.content)])
        .flatMap(({ attachment, sha256 }) => (attachment === null ? [] : [{ attachment, sha256 }]));
    case "request_change":
    case "edit_change":
      return contentsOf(commandAskedFor(command));
    default:
      return [];
  }
}
