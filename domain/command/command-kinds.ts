import type { CommandKind } from "./command.ts";

/**
 * The kinds that every build applies, from the first one on. Never add to it: a kind that is newer is proposed only once
 * every voter has said that it applies it, which is what lets a cluster be upgraded node by node.
 */
export const BASE_COMMAND_KINDS: readonly CommandKind[] = [
  "create_config",
  "create_version",
  "put_releases",
  "rollback",
  "delete_config",
  "revoke_token",
];
