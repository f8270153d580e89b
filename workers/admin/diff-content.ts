import { unifiedDiff } from "../../adapters/diff/unified-diff.ts";
import { formatPlugin } from "../../adapters/format/registry.ts";
import type { DiffOmission } from "../../contracts/config/diff-schemas.ts";
import { DIFF_ANSWER_CHARACTERS_MAX, DIFF_BYTES_MAX } from "../../contracts/limits.ts";
import type { ConfigFormat } from "../../domain/config/config.ts";
import { jsonPatch, type PatchOperation } from "../../domain/config/json-patch.ts";

export interface DiffSide {
  versionId: number;
  format: ConfigFormat;
  bytes: Uint8Array;
}

export interface ContentDiff {
  unified: string | null;
  unified_omitted: DiffOmission | null;
  json_patch: PatchOperation[] | null;
  json_patch_omitted: DiffOmission | null;
}

/** A diff without content, and why. */
export function omitDiff(omission: DiffOmission): ContentDiff {
  return {
    unified: null,
    unified_omitted: omission,
    json_patch: null,
    json_patch_omitted: omission,
  };
}

const TOO_LARGE: DiffOmission = {
  reason: "too_large",
  detail: "The versions are too large or too different to be compared within the limits.",
};

/** How two contents differ, as text and by their JSON values (C9); what cannot be said within the limits is told so. */
export function diffContent(name: string, from: DiffSide, to: DiffSide): ContentDiff {
  if (Math.max(from.bytes.byteLength, to.bytes.byteLength) > DIFF_BYTES_MAX) return omitDiff(TOO_LARGE);
  if (from.format === "binary" || to.format === "binary") {
    return omitDiff({ reason: "binary", detail: "Binary content is not compared." });
  }
  const unified = unifiedDiff(toText(name, from), toText(name, to));
  return {
    unified,
    unified_omitted: unified === null ? TOO_LARGE : null,
    ...diffValues(from, to),
  };
}

function toText(name: string, { versionId, bytes }: DiffSide): { name: string; text: string } {
  // Only .properties may hold bytes that are not UTF-8; for these the diff shows replacement characters.
  return {
    name: `${name}@${versionId}`,
    text: new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes),
  };
}

function diffValues(from: DiffSide, to: DiffSide): Pick<ContentDiff, "json_patch" | "json_patch_omitted"> {
  const omit = (omission: DiffOmission) => ({ json_patch: null, json_patch_omitted: omission });
  const [before, after] = [formatPlugin(from.format), formatPlugin(to.format)];
  if (!before.structured || !after.structured) {
    return omit({ reason: "unstructured", detail: "Only structured formats have a JSON Patch." });
  }
  const [old, now] = [before.parse(from.bytes), after.parse(to.bytes)];
  if (!old.ok || !now.ok) {
    return omit({ reason: "unstructured", detail: "A version is not readable as its format today." });
  }
  const patch = jsonPatch(old.value, now.value);
  if (patch === null || JSON.stringify(patch).length > DIFF_ANSWER_CHARACTERS_MAX) return omit(TOO_LARGE);
  return { json_patch: patch, json_patch_omitted: null };
}
