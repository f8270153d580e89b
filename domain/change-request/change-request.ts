import type { BundlePlanItem } from "../bundle/bundle.ts";
import type { Actor, ChangeOperation, ChangeOperationKind, Command, CommandOf } from "../command/command.ts";
import type { Namespace } from "../config/config-name.ts";
import { sha256OfText } from "../sha256-of-text.ts";
import { canonicalJson } from "../canonical-json.ts";
import type { ChangeRequestState } from "./change-transitions.ts";

export interface Approval {
  by: Actor;
  at_ms: number;
  comment: string;
}

/** A change that somebody asks for and others approve (C14). All times are the log's. */
export interface ChangeRequest {
  id: string;
  /** Null: the operation is of several configs. */
  config_id: string | null;
  /** Of several configs: what all of them share, and `*` where they differ; so is the name. */
  namespace: Namespace;
  name: string;
  operation: ChangeOperation;
  /**
   * The config's revision that the change was made for; when it has another, the request must be edited. Null for several:
   * their revisions are part of the operation.
   */
  config_revision: number | null;
  /** Of an operation of several configs: what it does to each. Left out for one of a single config. */
  targets?: ChangeTarget[];
  /** SHA-256 of operation and revision: what is approved, and nothing else. */
  digest: string;
  description: string;
  state: ChangeRequestState;
  author: Actor;
  /** Of this digest, one of a person. */
  approvals: Approval[];
  created_at_ms: number;
  updated_at_ms: number;
  /** From then on it has expired, and moves no more. */
  expires_at_ms: number;
  /** Who ended it, when and why; null while it is open. */
  ended: { by: Actor | null; at_ms: number; comment: string } | null;
  /** What its execution made. */
  outcome: { publish_id?: string; version_id?: number } | null;
  /** Log index of the command that made it. */
  created_index: number;
  /** Log index of the last command that changed it; the revision behind its `ETag`. */
  revision: number;
}

/** What an operation of several configs does to one of them, as it was when the request was made. */
export type ChangeTarget = Pick<
  BundlePlanItem,
  "app" | "env" | "name" | "config_id" | "revision" | "action" | "changes"
>;

/** Whether the operation changes the config at all; a bundle names some that are as they should be. */
export function isWritten({ action }: Pick<ChangeTarget, "action">): boolean {
  return action !== "unchanged" && action !== "orphan";
}

/** A change request without its operation, which may be large and is never part of an answer to a write. */
export type ChangeRequestHead = Omit<ChangeRequest, "operation" | "targets"> & {
  operation_kind: ChangeOperationKind;
};

export function toChangeRequestHead({
  operation,
  targets: _targets,
  ...head
}: ChangeRequest): ChangeRequestHead {
  return { ...head, operation_kind: operation.kind };
}

export function changeRequestIdOf(clusterId: string, index: number): string {
  return `chr-${clusterId}-${index}`;
}

/** The command that a change request stands for, by whom and about which tenant `command` is. */
export function commandOfOperation(command: Command, { kind, payload }: ChangeOperation): Command {
  const { format, tenant, actor, ip, trace_id } = command;
  const head = { format, tenant, actor, ip, trace_id, idempotency: null, expected_revision: null };
  return { ...head, kind, payload } as Command;
}

/** The command that a request for a change asks to be made. */
export function commandAskedFor(command: CommandOf<"request_change" | "edit_change">): Command {
  return commandOfOperation(command as Command, command.payload.operation);
}

/** What one approves: of the operation and of the revision it was made for, whatever the order of members in them. */
export function digestChange(operation: ChangeOperation, configRevision: number | null): string {
  return sha256OfText(canonicalJson({ config_revision: configRevision, operation }));
}
