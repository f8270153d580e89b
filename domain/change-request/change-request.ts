import type { Actor, ChangeOperation, ChangeOperationKind, Command } from "../command/command.ts";
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
  config_id: string;
  namespace: Namespace;
  name: string;
  operation: ChangeOperation;
  /** The config's revision that the change was made for; when it has another, the request must be edited. */
  config_revision: number;
  /** SHA-256 of operation and revision: what is approved, and nothing else. */
  digest: string;
  description: string;
  state: ChangeRequestState;
  author: Actor;
  /** Of this digest, one of a person. */
  approvals: Approval[];
  created_at_ms: number;
  updated_at_ms: number;
  /** From then on it can only be withdrawn or rejected. */
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

/** A change request without its operation, which may be large and is never part of an answer to a write. */
export type ChangeRequestHead = Omit<ChangeRequest, "operation"> & { operation_kind: ChangeOperationKind };

export function toChangeRequestHead({ operation, ...head }: ChangeRequest): ChangeRequestHead {
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

/** What one approves: of the operation and of the revision it was made for, whatever the order of members in them. */
export function digestChange(operation: ChangeOperation, configRevision: number): string {
  return sha256OfText(canonicalJson({ config_revision: configRevision, operation }));
}
