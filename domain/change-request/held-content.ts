import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { ContentRef, ChangeOperation } from "../command/command.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import type { ChangeRequest } from "./change-request.ts";

/** The content that an operation would make a version of; null for none. */
export function contentOfOperation(operation: ChangeOperation): ContentRef | null {
  const { kind, payload } = operation;
  return kind === "create_version" || kind === "start_publish" ? payload.content : null;
}

/**
 * Writes that keep the content of a request while it is open: stored once a tenant and hash like that of versions, and
 * counted like one of them.
 */
export function holdContent(
  state: StateView,
  tenant: string,
  operation: ChangeOperation,
  attachments: readonly Uint8Array[],
): { ok: true; changes: StateChange[] } | Refusal {
  const content = contentOfOperation(operation);
  if (content === null) return { ok: true, changes: [] };
  const bytes = attachments[content.attachment];
  if (bytes === undefined || content.attachment !== 0) {
    return refuse("validation_failed", "the command does not carry the content that it asks for", [
      { path: "/operation/content", message: "must be attachment 0" },
    ]);
  }
  const refsKey = stateKey.blobRefs(tenant, content.sha256);
  const refs = (state.json(refsKey) as number | undefined) ?? 0;
  const changes: StateChange[] = [{ op: "put_json", key: refsKey, value: refs + 1 }];
  if (refs === 0) changes.push({ op: "put_bytes", key: stateKey.blob(tenant, content.sha256), bytes });
  return { ok: true, changes };
}

/** Writes that let go of the content of a request. */
export function releaseContent(state: StateView, { namespace, operation }: ChangeRequest): StateChange[] {
  const content = contentOfOperation(operation);
  if (content === null) return [];
  const { tenant } = namespace;
  const refsKey = stateKey.blobRefs(tenant, content.sha256);
  const left = ((state.json(refsKey) as number | undefined) ?? 0) - 1;
  if (left > 0) return [{ op: "put_json", key: refsKey, value: left }];
  return [
    { op: "delete", key: refsKey },
    { op: "delete", key: stateKey.blob(tenant, content.sha256) },
  ];
}
