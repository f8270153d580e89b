import { type Refusal, refuse } from "../command/apply-verb.ts";
import { type ChangeOperation, type Command, type ContentRef, isOfSeveral } from "../command/command.ts";
import { contentsOf } from "../command/content-of.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import type { ChangeRequest } from "./change-request.ts";

/** The contents that an operation would make versions of; none for most. */
export function contentsOfOperation({ kind, payload }: ChangeOperation): ContentRef[] {
  return contentsOf({ kind, payload } as Command);
}

/** Contents that are the same are held once, and counted once. */
function heldHashes(operation: ChangeOperation): string[] {
  return [...new Set(contentsOfOperation(operation).map(({ sha256 }) => sha256))];
}

/** The keys of the counts of what a request holds while it is open, each once. */
export function heldKeys(tenant: string, operation: ChangeOperation): string[] {
  return heldHashes(operation).map((sha256) => stateKey.blobRefs(tenant, sha256));
}

/**
 * Writes that keep the contents of a request while it is open: stored once a tenant and hash like those of versions, and
 * counted like one of them.
 */
export function holdContents(
  state: StateView,
  tenant: string,
  operation: ChangeOperation,
  attachments: readonly Uint8Array[],
): { ok: true; changes: StateChange[] } | Refusal {
  const bytesByHash = new Map<string, Uint8Array>();
  for (const { attachment, sha256 } of contentsOfOperation(operation)) {
    const bytes = attachments[attachment];
    // One content has always been attachment 0: an operation means the same to every build.
    if (bytes === undefined || (!isOfSeveral(operation) && attachment !== 0)) {
      return refuse("validation_failed", "the command does not carry the content that it asks for", [
        {
          path: "/operation/content",
          message: `attachment ${attachment} is not there, or not where it should be`,
        },
      ]);
    }
    bytesByHash.set(sha256, bytes);
  }
  const changes = [...bytesByHash].flatMap(([sha256, bytes]): StateChange[] => {
    const refsKey = stateKey.blobRefs(tenant, sha256);
    const refs = (state.json(refsKey) as number | undefined) ?? 0;
    const counted: StateChange = { op: "put_json", key: refsKey, value: refs + 1 };
    return refs > 0 ? [counted] : [counted, { op: "put_bytes", key: stateKey.blob(tenant, sha256), bytes }];
  });
  return { ok: true, changes };
}

/** Writes that let go of the contents of a request. */
export function releaseContents(state: StateView, { namespace, operation }: ChangeRequest): StateChange[] {
  const { tenant } = namespace;
  return heldHashes(operation).flatMap((sha256): StateChange[] => {
    const refsKey = stateKey.blobRefs(tenant, sha256);
    const left = ((state.json(refsKey) as number | undefined) ?? 0) - 1;
    if (left > 0) return [{ op: "put_json", key: refsKey, value: left }];
    return [
      { op: "delete", key: refsKey },
      { op: "delete", key: stateKey.blob(tenant, sha256) },
    ];
  });
}

/** The contents of an open request, as its command carried them. Throws when one is gone: a broken invariant. */
export function heldBytes(state: StateView, { namespace, operation }: ChangeRequest): Uint8Array[] {
  const attachments: Uint8Array[] = [];
  for (const { attachment, sha256 } of contentsOfOperation(operation)) {
    const bytes = state.bytes(stateKey.blob(namespace.tenant, sha256));
    if (bytes === undefined) throw new Error(`the content ${sha256} of an open change request is gone`);
    attachments[attachment] = bytes;
  }
  return attachments;
}
