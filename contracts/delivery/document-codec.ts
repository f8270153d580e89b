import type { CompiledDocument, CompiledVariant } from "../../domain/delivery/compiled-document.ts";
import type { CompiledRule, CompiledRules } from "../../domain/release-rule/compile-rules.ts";

/**
 * A compiled document as it stands in KV and in the replica: one byte of format version, four bytes (big endian) of
 * header length, the header as JSON, then the inline contents end to end in the order of the variants.
 * The same document always encodes to the same bytes (fields are written in one order), because the SHA-256 of the
 * encoding is the document's name; a change of layout is a new format version. Version 1 knows labels alone; version 2
 * has conditions and percentages. A document is written in the lowest version that holds it: one without conditions keeps
 * its name and is read by builds of before, which refuse the others instead of serving them wrongly.
 */
const WIRE_VERSION_LABELS = 1;
const WIRE_VERSION_CONDITIONS = 2;
const PREFIX_BYTES = 5;

/** Rules as a header of either version has them. */
type WrittenRules = Omit<CompiledRules, "rules" | "by_name"> & {
  rules: (Omit<CompiledRule, "when" | "percentage"> & Partial<CompiledRule>)[];
  by_name?: CompiledRules["by_name"];
};
type VariantHeader = Omit<CompiledVariant, "content"> & { inline: boolean };
type DocumentHeader = Omit<CompiledDocument, "variants"> & { variants: VariantHeader[] };

/** Encodes a document. Throws a `RangeError` when an inline content is not `content_bytes` long. */
export function encodeDocument(document: CompiledDocument): Uint8Array {
  const version = document.rules.rules.some(({ when, percentage }) => when.length > 0 || percentage !== null)
    ? WIRE_VERSION_CONDITIONS
    : WIRE_VERSION_LABELS;
  const header = new TextEncoder().encode(JSON.stringify(headerOf(document, version)));
  const inline = document.variants.flatMap(({ content }) => (content === null ? [] : [content]));
  const total = inline.reduce((sum, bytes) => sum + bytes.byteLength, PREFIX_BYTES + header.byteLength);
  const out = new Uint8Array(total);
  out[0] = version;
  new DataView(out.buffer).setUint32(1, header.byteLength);
  out.set(header, PREFIX_BYTES);
  let offset = PREFIX_BYTES + header.byteLength;
  for (const bytes of inline) {
    out.set(bytes, offset);
    offset += bytes.byteLength;
  }
  return out;
}

/**
 * Decodes what `encodeDocument` made; contents are views into `bytes`. Throws a `RangeError` that says what is wrong
 * for anything else: an unknown version, a truncated or malformed header, contents that do not fill the rest exactly.
 */
export function decodeDocument(bytes: Uint8Array): CompiledDocument {
  if (bytes.byteLength < PREFIX_BYTES) throw new RangeError("document shorter than its prefix");
  const [version] = bytes;
  if (version !== WIRE_VERSION_LABELS && version !== WIRE_VERSION_CONDITIONS) {
    throw new RangeError(`unknown document wire version ${version}`);
  }
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  let offset = PREFIX_BYTES + headerBytes;
  if (offset > bytes.byteLength) throw new RangeError("document header is truncated");
  const header = parseHeader(bytes.subarray(PREFIX_BYTES, offset), version);
  const variants = header.variants.map(({ inline, ...variant }): CompiledVariant => {
    if (!inline) return { ...variant, content: null };
    const end = offset + variant.content_bytes;
    if (!Number.isInteger(variant.content_bytes) || variant.content_bytes < 0 || end > bytes.byteLength) {
      throw new RangeError(`content of version ${variant.version_id} is truncated`);
    }
    const content = bytes.subarray(offset, end);
    offset = end;
    return { ...variant, content };
  });
  if (offset !== bytes.byteLength) throw new RangeError("bytes after the last content of the document");
  const { config, config_id, encrypted, rules } = header;
  return { config, config_id, encrypted, rules, variants };
}

/** Spelled out field by field: the order of an object's fields must not depend on who made it. */
function headerOf(
  { config, config_id, encrypted, rules, variants }: CompiledDocument,
  version: number,
): Omit<DocumentHeader, "rules"> & { rules: WrittenRules } {
  const { by_label, by_name, unlabelled } = rules;
  return {
    config,
    config_id,
    encrypted,
    rules:
      version === WIRE_VERSION_LABELS
        ? {
            rules: rules.rules.map(({ position, version_id, labels }) => ({ position, version_id, labels })),
            by_label,
            unlabelled,
          }
        : { rules: rules.rules.map(ruleOf), by_label, by_name, unlabelled },
    variants: variants.map(({ version_id, sha256, format, content_bytes, etag, content }) => {
      if (content !== null && content.byteLength !== content_bytes) {
        throw new RangeError(`content of version ${version_id} is not ${content_bytes} bytes long`);
      }
      return { version_id, sha256, format, content_bytes, etag, inline: content !== null };
    }),
  };
}

function ruleOf({ position, version_id, labels, when, percentage }: CompiledRule): CompiledRule {
  return {
    position,
    version_id,
    labels,
    when: when.map(({ label, op, values }) => ({ label, op, values })),
    percentage: percentage && { by: percentage.by, below: percentage.below, salt: percentage.salt },
  };
}

/** The hash of a document guards its shape; this guards against bytes that were never a document. */
function parseHeader(bytes: Uint8Array, version: number): DocumentHeader {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new RangeError("document header is not JSON", { cause });
  }
  const header = parsed as Partial<DocumentHeader> | null;
  if (
    typeof header !== "object" ||
    typeof header?.config !== "string" ||
    typeof header.config_id !== "string" ||
    typeof header.encrypted !== "boolean" ||
    !Array.isArray(header.variants) ||
    !Array.isArray(header.rules?.rules) ||
    !Array.isArray(header.rules.unlabelled) ||
    typeof header.rules.by_label !== "object" ||
    (version === WIRE_VERSION_CONDITIONS && typeof header.rules.by_name !== "object")
  ) {
    throw new RangeError("document header lacks a field");
  }
  if (version === WIRE_VERSION_CONDITIONS) return header as DocumentHeader;
  const rules = header.rules.rules.map((rule) => ({ ...rule, when: [], percentage: null }));
  return { ...(header as DocumentHeader), rules: { ...header.rules, rules, by_name: {} } };
}
