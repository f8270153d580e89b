import type { CompiledDocument, CompiledVariant } from "../../domain/delivery/compiled-document.ts";

/**
 * A compiled document as it stands in KV and in the replica: one byte of format version, four bytes (big endian) of
 * header length, the header as JSON, then the inline contents end to end in the order of the variants.
 * The same document always encodes to the same bytes (fields are written in one order), because the SHA-256 of the
 * encoding is the document's name; a change of layout is a new format version.
 */
export const DOCUMENT_WIRE_VERSION = 1;
const PREFIX_BYTES = 5;

type VariantHeader = Omit<CompiledVariant, "content"> & { inline: boolean };
type DocumentHeader = Omit<CompiledDocument, "variants"> & { variants: VariantHeader[] };

/** Encodes a document. Throws a `RangeError` when an inline content is not `content_bytes` long. */
export function encodeDocument(document: CompiledDocument): Uint8Array {
  const header = new TextEncoder().encode(JSON.stringify(headerOf(document)));
  const inline = document.variants.flatMap(({ content }) => (content === null ? [] : [content]));
  const total = inline.reduce((sum, bytes) => sum + bytes.byteLength, PREFIX_BYTES + header.byteLength);
  const out = new Uint8Array(total);
  out[0] = DOCUMENT_WIRE_VERSION;
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
  if (bytes[0] !== DOCUMENT_WIRE_VERSION) throw new RangeError(`unknown document wire version ${bytes[0]}`);
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  let offset = PREFIX_BYTES + headerBytes;
  if (offset > bytes.byteLength) throw new RangeError("document header is truncated");
  const header = parseHeader(bytes.subarray(PREFIX_BYTES, offset));
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
function headerOf({ config, config_id, encrypted, rules, variants }: CompiledDocument): DocumentHeader {
  return {
    config,
    config_id,
    encrypted,
    rules: {
      rules: rules.rules.map(({ position, version_id, labels }) => ({ position, version_id, labels })),
      by_label: rules.by_label,
      unlabelled: rules.unlabelled,
    },
    variants: variants.map(({ version_id, sha256, format, content_bytes, etag, content }) => {
      if (content !== null && content.byteLength !== content_bytes) {
        throw new RangeError(`content of version ${version_id} is not ${content_bytes} bytes long`);
      }
      return { version_id, sha256, format, content_bytes, etag, inline: content !== null };
    }),
  };
}

/** The hash of a document guards its shape; this guards against bytes that were never a document. */
function parseHeader(bytes: Uint8Array): DocumentHeader {
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
    typeof header.rules.by_label !== "object"
  ) {
    throw new RangeError("document header lacks a field");
  }
  return header as DocumentHeader;
}
