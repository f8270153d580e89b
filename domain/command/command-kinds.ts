import type { CommandKind } from "./command.ts";

/**
 * The kinds that every build applies: all there are until the first release, and never one more after it. A kind that is
 * newer is proposed only once every voter has said that it applies it, which is what lets a cluster be upgraded node by
 * node. What repairs a cluster (the kinds about nodes) must be here: else a voter that nobody reaches could not be removed.
 */
export const BASE_COMMAND_KINDS: readonly CommandKind[] = [
  "create_config",
  "create_version",
  "put_releases",
  "rollback",
  "delete_config",
  "revoke_token",
  "register_node",
  "retire_node",
  "note_operation",
  "start_publish",
  "advance_publish",
  "abort_publish",
];
