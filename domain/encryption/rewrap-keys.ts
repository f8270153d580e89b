import { type ChangeRequest, commandOfOperation, digestChange } from "../change-request/change-request.ts";
import { contentsOfOperation } from "../change-request/held-content.ts";
import { writeChange } from "../change-request/write-change.ts";
import type { ApplyInput, ApplyVerb } from "../command/apply-verb.ts";
import type { ChangeOperation, HeldRewrapping, PartRewrapping, Rewrapping } from "../command/command.ts";
import { overlayState } from "../command/state-overlay.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import { configChanged } from "../config/config-changed.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { releaseBlobs, writeVersion } from "../config/write-version.ts";
import { sealedSecretAt } from "../gray-config/gray-content.ts";
import { sha256Hex } from "../sha256.ts";
import { envelopeHead, rewrapEnvelope } from "./envelope-text.ts";
import { withContents } from "./with-content.ts";

type Input = ApplyInput<"rewrap_keys">;
interface RewrappedVersion {
  config: Config;
  version: ConfigVersion;
  changes: StateChange[];
}

/**
 * Puts other wrapped keys into envelopes (K3), wherever the state has them: iv, ciphertext and tag stay, and so do
 * `content_sha256` and the version; the config's revision, and with it index and ETag, are new. What is no longer as it was
 * when its key was wrapped (it has been wrapped anew, or is gone) is passed over, so that a repetition does no harm.
 */
export const rewrapKeys: ApplyVerb<"rewrap_keys"> = (input) => {
  const { state, command, index, timestampMs } = input;
  const { resource, items, parts = [], held = [], next_cursor } = command.payload;
  const changes: StateChange[] = [];
  const changed = new Map<string, { config: Config; versions: ConfigVersion[] }>();
  // Each sees what those before it have changed, since versions may share a content.
  const now = (): StateView => overlayState(state, changes);
  const keep = (rewrapped: RewrappedVersion | null): void => {
    if (rewrapped === null) return;
    const { config, version } = rewrapped;
    const known = changed.get(config.id) ?? {
      config: { ...config, revision: index, updated_at_ms: timestampMs },
      versions: [],
    };
    if (known.versions.some(({ version_id }) => version_id === version.version_id)) return;
    changed.set(config.id, known);
    known.versions.push(version);
    changes.push(...rewrapped.changes);
  };
  for (const item of items) keep(rewrapVersion(now(), command.tenant, item));
  for (const part of parts) keep(rewrapPart(now(), command.tenant, part));
  for (const { config } of changed.values()) {
    changes.push({ op: "put_json", key: stateKey.config(config.id), value: config });
  }
  let contents = 0;
  let voided = 0;
  for (const one of held) {
    const written = rewrapHeld(now(), input, one);
    if (written === null) continue;
    contents += 1;
    voided += written.voided;
    changes.push(...written.changes);
  }
  const all = [...changed.values()];
  const versions = all.reduce((sum, one) => sum + one.versions.length, 0);
  const rewrapped = versions + contents;
  const alsoHeld =
    contents === 0 ? "" : `, and those of ${contents} contents of change requests; void: ${voided} approvals`;
  return {
    ok: true,
    changes,
    events: all.map((one) => configChanged(state, one.config, one.versions)),
    result: { rewrapped, next_cursor },
    audit:
      rewrapped === 0
        ? null
        : {
            action: "write",
            resource,
            summary: `wrapped the data keys of ${versions} versions of ${all.length} configs anew${alsoHeld}`,
          },
  };
};

function findVersion(
  state: StateView,
  tenant: string,
  at: { config_id: string; version_id: number },
): { config: Config; version: ConfigVersion; bytes: Uint8Array } | null {
  const config = state.json(stateKey.config(at.config_id)) as Config | undefined;
  const version = state.json(stateKey.version(at.config_id, at.version_id)) as ConfigVersion | undefined;
  if (config === undefined || config.namespace.tenant !== tenant || version === undefined) return null;
  const bytes = state.bytes(stateKey.blob(tenant, version.sha256));
  return bytes === undefined ? null : { config, version, bytes };
}

/** A version that is an envelope. */
function rewrapVersion(state: StateView, tenant: string, item: Rewrapping): RewrappedVersion | null {
  const found = findVersion(state, tenant, item);
  const sealed = found?.version.sealed;
  if (found === null || sealed === undefined) return null;
  const { config, version: before } = found;
  if (before.sha256 !== item.from_sha256 || item.to_sha256 === item.from_sha256) return null;
  const bytes = rewrapEnvelope(found.bytes, item);
  if (bytes === null) return null;
  const version: ConfigVersion = {
    ...before,
    sha256: item.to_sha256,
    content_bytes: bytes.byteLength,
    sealed: { ...sealed, key_id: item.key_id },
  };
  return { config, version, changes: replaceBytes(state, tenant, { before, version, bytes }) };
}

/**
 * A version with an envelope in it. The envelope is known by its wrapped key and not by the content around it: a draft whose
 * columns were edited meanwhile has it still.
 */
function rewrapPart(state: StateView, tenant: string, item: PartRewrapping): RewrappedVersion | null {
  const found = findVersion(state, tenant, item);
  if (found === null || found.version.sealed !== undefined) return null;
  const { config, version: before } = found;
  const at = sealedSecretAt(config.namespace, found.bytes);
  if (at === null || envelopeHead(found.bytes, at)?.wrapped_key !== item.from_wrapped_key) return null;
  const bytes = rewrapEnvelope(found.bytes, item, at);
  const sha256 = bytes === null ? before.sha256 : sha256Hex(bytes);
  if (bytes === null || sha256 === before.sha256) return null;
  const version: ConfigVersion = { ...before, sha256, content_bytes: bytes.byteLength };
  return { config, version, changes: replaceBytes(state, tenant, { before, version, bytes }) };
}

function replaceBytes(
  state: StateView,
  tenant: string,
  { before, version, bytes }: { before: ConfigVersion; version: ConfigVersion; bytes: Uint8Array },
): StateChange[] {
  return [
    ...writeVersion(state, tenant, version, bytes),
    ...releaseBlobs(state, tenant, new Map([[before.sha256, 1]])),
  ];
}

/**
 * A content that an open change request holds. What is asked for has another hash then and the request another digest, so
 * that the approvals of the one before are void, as after an edit.
 */
function rewrapHeld(
  state: StateView,
  { command, index, timestampMs }: Input,
  item: HeldRewrapping,
): { changes: StateChange[]; voided: number } | null {
  const { tenant } = command;
  const before = state.json(stateKey.changeRequest(item.change_request_id)) as ChangeRequest | undefined;
  if (before?.state !== "open" || before.namespace.tenant !== tenant) return null;
  const contents = contentsOfOperation(before.operation);
  const isIt = (sha256: string): boolean => sha256 === item.from_sha256 && sha256 !== item.to_sha256;
  if (!contents.some(({ sha256, sealed }) => sealed !== undefined && isIt(sha256))) return null;
  const envelope = state.bytes(stateKey.blob(tenant, item.from_sha256));
  const bytes = envelope === undefined ? null : rewrapEnvelope(envelope, item);
  if (bytes === null) return null;
  const after = contents.map((content) =>
    content.sealed === undefined || !isIt(content.sha256)
      ? content
      : { ...content, sha256: item.to_sha256, sealed: { ...content.sealed, key_id: item.key_id } },
  );
  const operation = withOtherContents(command, before.operation, after);
  const request: ChangeRequest = {
    ...before,
    operation,
    digest: digestChange(operation, before.config_revision),
    approvals: [],
    updated_at_ms: timestampMs,
    revision: index,
  };
  const changes: StateChange[] = [
    ...writeChange(request),
    { op: "put_json", key: stateKey.blobRefs(tenant, item.to_sha256), value: 1 },
    { op: "put_bytes", key: stateKey.blob(tenant, item.to_sha256), bytes },
    ...releaseBlobs(state, tenant, new Map([[item.from_sha256, 1]])),
  ];
  return { changes, voided: before.approvals.length };
}

function withOtherContents(
  command: Input["command"],
  operation: ChangeOperation,
  contents: ReturnType<typeof contentsOfOperation>,
): ChangeOperation {
  const left = contents.values();
  const { kind, payload } = withContents(commandOfOperation(command, operation), () => {
    const { value } = left.next();
    if (value === undefined) throw new Error(`a ${operation.kind} has more contents than it had`);
    return value;
  });
  return { kind, payload } as ChangeOperation;
}
