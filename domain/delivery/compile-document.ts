import type { ConfigChanged, Variant } from "../command/feed-entry.ts";
import { fullName } from "../config/config-name.ts";
import { compileRules } from "../release-rule/compile-rules.ts";
import type { CompiledDocument, CompiledVariant } from "./compiled-document.ts";

/** Content bytes that one document carries inside it; variants past it stand in KV by themselves. */
export const DOCUMENT_INLINE_BYTES_MAX = 256 * 1024;

export interface CompileInput {
  event: ConfigChanged;
  region: string;
  /**
   * The bytes of a content that may travel inside the document, undefined for one that may not. Must depend on the
   * content alone (its size), or equal states would compile to different documents.
   */
  inline: (sha256: string) => Uint8Array | undefined;
}

/**
 * Compiles a config as `region` sees it: the region's rules and only the variants these rules name, ascending.
 * Every variant whose `content` comes out null must be stored under `variantKey` before the head names the document.
 * Throws a `RangeError` when a rule names a version that the event lacks or has a field that this build does not know,
 * and when inline bytes have another length.
 */
export function compileDocument({ event, region, inline }: CompileInput): CompiledDocument {
  const rules = compileRules({ rules: event.releases, region, configId: event.config_id });
  const byVersion = new Map(event.variants.map((variant) => [variant.version_id, variant]));
  const named = [...new Set(rules.rules.map((rule) => rule.version_id))].toSorted((a, b) => a - b);
  const config = fullName(event.namespace, event.name);
  let inlineBytesLeft = DOCUMENT_INLINE_BYTES_MAX;
  const variants = named.map((versionId): CompiledVariant => {
    const variant = byVersion.get(versionId);
    if (variant === undefined)
      throw new RangeError(`a rule of ${config} names version ${versionId}: not in the event`);
    const content = variant.content_bytes <= inlineBytesLeft ? (inline(variant.sha256) ?? null) : null;
    if (content !== null && content.byteLength !== variant.content_bytes) {
      throw new RangeError(
        `content ${variant.sha256} has ${content.byteLength} bytes, not ${variant.content_bytes}`,
      );
    }
    inlineBytesLeft -= content?.byteLength ?? 0;
    return {
      version_id: versionId,
      sha256: variant.sha256,
      format: variant.format,
      content_bytes: variant.content_bytes,
      etag: etagOf(variant),
      content,
    };
  });
  return { config, config_id: event.config_id, encrypted: event.encrypted, rules, variants };
}

/** Differs between versions that share bytes, and between configs of one name in turn (the hash does that). */
function etagOf(variant: Variant): string {
  return `"${variant.version_id}-${variant.sha256.slice(0, 32)}"`;
}
