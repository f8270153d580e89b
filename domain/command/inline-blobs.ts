import type { ConfigChanged } from "./feed-entry.ts";
import { stateKey } from "./state-view.ts";

/** How contents come along with an answer: where they are read, and how large one may be. */
export interface InlineBudget {
  bytes: (key: string) => Uint8Array | undefined;
  bytesMax: number;
}

/**
 * Adds to `blobs` the small contents that `event` names, as far as `left` characters of base64 allow, and answers the
 * characters used. What is left out (or has been deleted since) is for the reader to fetch by hash.
 */
export function collectInline(
  event: ConfigChanged,
  inline: InlineBudget,
  left: number,
  blobs: Map<string, Uint8Array>,
): number {
  let used = 0;
  for (const { sha256, content_bytes } of event.variants) {
    const chars = Math.ceil(content_bytes / 3) * 4;
    if (content_bytes > inline.bytesMax || used + chars > left || blobs.has(sha256)) continue;
    const bytes = inline.bytes(stateKey.blob(event.namespace.tenant, sha256));
    if (bytes === undefined) continue;
    blobs.set(sha256, bytes);
    used += chars;
  }
  return used;
}
