import { sha256Hex } from "../../adapters/digest/sha256-hex.ts";
import type { CorePort } from "../../contracts/core/core-port.ts";
import { encodeDocument } from "../../contracts/delivery/document-codec.ts";
import { INLINE_BYTES_MAX } from "../../contracts/limits.ts";
import type { ConfigChanged } from "../../domain/command/feed-entry.ts";
import { fullName } from "../../domain/config/config-name.ts";
import { compileDocument } from "../../domain/delivery/compile-document.ts";
import {
  type CompiledDocument,
  type CompiledVariant,
  documentKey,
  variantKey,
} from "../../domain/delivery/compiled-document.ts";
import type { ContentStore } from "./content-store.ts";
import type { HeadChange } from "./head-store.ts";
import { KV_REWRITE_AFTER_MS, KV_TTL_S, KV_VALUE_BYTES_MAX } from "./limits.ts";

/** The part of the core that a replica follows. */
export type FollowedCore = Pick<CorePort, "edgeFeed" | "edgeSnapshot" | "getBlob">;

export interface DocumentContext {
  region: string;
  core: FollowedCore;
  kv: KVNamespace;
  contents: ContentStore;
  now: () => number;
  /** Contents that came with the answer, base64 by sha256. */
  blobs: Record<string, string>;
}

/** The event cannot become a document whatever is retried; the document before it stays. */
export class UnstorableError extends Error {
  override readonly name = "UnstorableError";
}

/**
 * Compiles the event for the region and puts the document, and the variants too large to travel in it, into KV and the
 * content store: once it resolves, a head that names the document may be served. A config that has no rule for the
 * region has no document. Throws `UnstorableError` for an event that can never be stored; other errors are passing.
 */
export async function storeDocument(
  event: ConfigChanged,
  index: number,
  context: DocumentContext,
): Promise<HeadChange> {
  const name = fullName(event.namespace, event.name);
  const { tenant } = event.namespace;
  const plan = planDocument(event, context.region);
  if (plan.rules.rules.length === 0) return { name, doc: null, version: 0, index, contents: [] };

  const contents: string[] = [];
  const variants: CompiledVariant[] = [];
  for (const variant of plan.variants) {
    if (variant.content === null) {
      const key = variantKey(tenant, variant.sha256);
      contents.push(key);
      if (isDue(key, context)) await write(key, await loadContent(tenant, variant, context), context);
      variants.push(variant);
    } else {
      variants.push({ ...variant, content: await loadContent(tenant, variant, context) });
    }
  }
  const bytes = encodeDocument({ ...plan, variants });
  if (bytes.byteLength > KV_VALUE_BYTES_MAX) {
    throw new UnstorableError(`the document of ${name} has ${bytes.byteLength} bytes`);
  }
  const doc = await sha256Hex(bytes);
  const key = documentKey(tenant, doc);
  contents.push(key);
  if (isDue(key, context)) await write(key, bytes, context);
  const version = Math.max(...variants.map((variant) => variant.version_id));
  return { name, doc, version, index, contents: [...new Set(contents)] };
}

/** The document with blank contents: which variants travel inside depends on their sizes alone. */
function planDocument(event: ConfigChanged, region: string): CompiledDocument {
  const bytesBySha = new Map(event.variants.map((variant) => [variant.sha256, variant.content_bytes]));
  try {
    return compileDocument({
      event,
      region,
      inline: (sha256) => {
        const size = bytesBySha.get(sha256) ?? Infinity;
        return size <= INLINE_BYTES_MAX ? new Uint8Array(size) : undefined;
      },
    });
  } catch (cause) {
    throw new UnstorableError(`the event of ${event.config_id} does not compile`, { cause });
  }
}

/** The bytes of a variant: from the answer, from our own copy, or from the core; always checked against their hash. */
async function loadContent(
  tenant: string,
  variant: CompiledVariant,
  { blobs, contents, core }: DocumentContext,
): Promise<Uint8Array<ArrayBuffer>> {
  const inline = blobs[variant.sha256];
  const bytes =
    inline === undefined
      ? (contents.read(variantKey(tenant, variant.sha256)) ??
        new Uint8Array(await core.getBlob({ tenant, sha256: variant.sha256 })))
      : Uint8Array.from(atob(inline), (char) => char.charCodeAt(0));
  const sha256 = await sha256Hex(bytes);
  if (sha256 !== variant.sha256 || bytes.byteLength !== variant.content_bytes) {
    throw new Error(
      `the core gave ${bytes.byteLength} bytes of hash ${sha256} for content ${variant.sha256}`,
    );
  }
  return bytes;
}

function isDue(key: string, { contents, now }: DocumentContext): boolean {
  const writtenAt = contents.writtenAt(key);
  return writtenAt === null || writtenAt < now() - KV_REWRITE_AFTER_MS;
}

async function write(key: string, bytes: Uint8Array, { kv, contents, now }: DocumentContext): Promise<void> {
  await kv.put(key, bytes, { expirationTtl: KV_TTL_S });
  contents.keep(key, bytes, now());
}
