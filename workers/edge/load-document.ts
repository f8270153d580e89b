import { decodeDocument } from "../../contracts/delivery/document-codec.ts";
import { documentKey, variantKey } from "../../domain/delivery/compiled-document.ts";
import { unavailable, withDeadline } from "./deadline.ts";
import type { PreparedDocument } from "./document-cache.ts";
import type { Exchange } from "./exchange.ts";
import type { PreparedVariant } from "./serve-variant.ts";
import { sha256Hex } from "../../adapters/digest/sha256-hex.ts";

/** How long Workers KV may keep a value, or the absence of one, at a location. Values never change; absences do. */
const KV_CACHE_TTL_S = 60;
const KV_DEADLINE_MS = 1000;
const REPLICA_CONTENT_DEADLINE_MS = 3000;

/**
 * The document that the head names for `config`: from memory, else KV, else the replica (E4).
 * Throws `unavailable` when no place has its bytes.
 */
export async function loadDocument(
  exchange: Exchange,
  config: string,
  hash: string,
): Promise<PreparedDocument> {
  const { documents } = exchange.isolate;
  const held = documents.document(hash);
  if (held !== undefined) return held;
  const tenant = tenantOf(config);
  const bytes = await readImmutable(exchange, tenant, documentKey(tenant, hash), hash);
  const document = decodeDocument(bytes);
  if (document.config !== config) {
    // Not a ConfluxError: its text would reach the client, who may not know that the other config exists.
    throw new Error(`the head names the document of ${document.config} for ${config}`);
  }
  return documents.holdDocument(hash, document, bytes.byteLength);
}

/** The bytes of a variant that are inside its document or kept by themselves; null when they must be read. */
export function contentInMemory({ isolate }: Exchange, { variant }: PreparedVariant): Uint8Array | null {
  return variant.content ?? isolate.documents.content(variant.sha256) ?? null;
}

/** The bytes of a variant: inside its document, else from memory, KV or the replica. */
export async function loadContent(
  exchange: Exchange,
  config: string,
  prepared: PreparedVariant,
): Promise<Uint8Array> {
  const held = contentInMemory(exchange, prepared);
  if (held !== null) return held;
  const { variant } = prepared;
  const tenant = tenantOf(config);
  const bytes = await readImmutable(exchange, tenant, variantKey(tenant, variant.sha256), variant.sha256);
  exchange.isolate.documents.holdContent(variant.sha256, bytes);
  return bytes;
}

const tenantOf = (config: string): string => config.slice(0, config.indexOf("/"));

/**
 * Reads bytes by their hash. KV is eventually consistent and may have nothing yet, and is trusted no further than the
 * hash reaches; the replica is asked when it has nothing, something else, or no answer in time.
 */
async function readImmutable(
  exchange: Exchange,
  tenant: string,
  key: string,
  sha256: string,
): Promise<Uint8Array> {
  const stored = await readKv(exchange, key);
  if (stored !== null) {
    const bytes = new Uint8Array(stored);
    if ((await sha256Hex(bytes)) === sha256) return bytes;
    exchange.isolate.log({
      level: "error",
      message: `KV holds other bytes under ${key}`,
      trace_id: exchange.traceId,
    });
  }
  const content = await withDeadline(
    exchange.region.replica().content({ tenant, key }),
    REPLICA_CONTENT_DEADLINE_MS,
    "the region's replica",
  );
  if (content === null) throw unavailable("the bytes of the config are not in the region yet");
  const bytes = new Uint8Array(content);
  if ((await sha256Hex(bytes)) !== sha256)
    throw unavailable("the region has other bytes than its head names");
  return bytes;
}

async function readKv(exchange: Exchange, key: string): Promise<ArrayBuffer | null> {
  const { kv } = exchange.region;
  if (kv === null) return null;
  try {
    const read = kv.get(key, { type: "arrayBuffer", cacheTtl: KV_CACHE_TTL_S });
    return await withDeadline(read, KV_DEADLINE_MS, "KV");
  } catch (error) {
    // Being away costs a question to the replica, no more.
    exchange.isolate.log({
      level: "warn",
      message: `KV could not be read: ${key}`,
      trace_id: exchange.traceId,
      error,
    });
    return null;
  }
}
