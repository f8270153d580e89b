import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { ContentRef } from "../command/command.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import { CONTENT_BYTES_MAX, DESCRIPTION_BYTES_MAX, ENVELOPE_BYTES_MAX, SCHEMA_BYTES_MAX } from "../limits.ts";
import { utf8Length } from "../utf8-length.ts";
import type { ConfigVersion } from "./config.ts";

/**
 * The bytes of a new version and the limits of what comes with it. Refuses `payload_too_large` for content over
 * CONTENT_BYTES_MAX and `validation_failed` for a schema or description over its limit, an attachment that is not there,
 * and content that is sealed although the config is not encrypted, or the other way round (K1).
 */
export function checkVersionInput(
  input: { content: ContentRef; schema: string | null; description: string },
  attachments: readonly Uint8Array[],
  { encrypted }: { encrypted: boolean },
): { ok: true; bytes: Uint8Array } | Refusal {
  const bytes = attachments[input.content.attachment];
  if (bytes === undefined) {
    return refuse("validation_failed", "the command names an attachment that it does not carry", [
      { path: "/content", message: `no attachment ${input.content.attachment}` },
    ]);
  }
  if (encrypted !== (input.content.sealed !== undefined)) {
    const message = encrypted
      ? "the config is encrypted, this is not"
      : "the config is not encrypted, this is";
    return refuse("validation_failed", "the content is not as its config", [{ path: "/content", message }]);
  }
  const bytesMax = encrypted ? ENVELOPE_BYTES_MAX : CONTENT_BYTES_MAX;
  if (bytes.byteLength > bytesMax) {
    return refuse("payload_too_large", `a version has at most ${bytesMax} bytes, got ${bytes.byteLength}`);
  }
  if (input.schema !== null && utf8Length(input.schema) > SCHEMA_BYTES_MAX) {
    return refuse("validation_failed", "the schema is too large", [
      { path: "/schema", message: `at most ${SCHEMA_BYTES_MAX} bytes` },
    ]);
  }
  if (utf8Length(input.description) > DESCRIPTION_BYTES_MAX) {
    return refuse("validation_failed", "the description is too long", [
      { path: "/description", message: `at most ${DESCRIPTION_BYTES_MAX} bytes` },
    ]);
  }
  return { ok: true, bytes };
}

/** What a version keeps of how its content was sealed; nothing for one that was not. */
export function sealOf({ sealed }: ContentRef): Pick<ConfigVersion, "sealed"> {
  return sealed === undefined ? {} : { sealed };
}

/** Writes of a new version: its record, and its bytes, stored once a tenant and hash with a count of references (C2). */
export function writeVersion(
  state: StateView,
  tenant: string,
  version: ConfigVersion,
  bytes: Uint8Array,
): StateChange[] {
  const refsKey = stateKey.blobRefs(tenant, version.sha256);
  const refs = (state.json(refsKey) as number | undefined) ?? 0;
  const changes: StateChange[] = [
    { op: "put_json", key: stateKey.version(version.config_id, version.version_id), value: version },
    { op: "put_json", key: refsKey, value: refs + 1 },
  ];
  if (refs === 0) changes.push({ op: "put_bytes", key: stateKey.blob(tenant, version.sha256), bytes });
  return changes;
}

/** Writes that drop `counts[sha256]` references each; bytes that nothing refers to any more go with them. */
export function releaseBlobs(
  state: StateView,
  tenant: string,
  counts: ReadonlyMap<string, number>,
): StateChange[] {
  return [...counts].flatMap(([sha256, count]): StateChange[] => {
    const refsKey = stateKey.blobRefs(tenant, sha256);
    const left = ((state.json(refsKey) as number | undefined) ?? 0) - count;
    if (left > 0) return [{ op: "put_json", key: refsKey, value: left }];
    return [
      { op: "delete", key: refsKey },
      { op: "delete", key: stateKey.blob(tenant, sha256) },
    ];
  });
}
