import { DurableObject } from "cloudflare:workers";
import { encodeDocument } from "../../contracts/delivery/document-codec.ts";
import type {
  HeadChanges,
  HeadEntry,
  HeadLookup,
  NamespacePage,
  RegionReplicaRpc,
  ReplicaPosition,
} from "../../contracts/delivery/replica-rpc.ts";
import { INLINE_BYTES_MAX } from "../../contracts/limits.ts";
import { compileDocument } from "../../domain/delivery/compile-document.ts";
import { documentKey, variantKey } from "../../domain/delivery/compiled-document.ts";
import { benchConfigEvent, type BenchContent } from "./bench-config.ts";

/**
 * All that the edge Worker asks, in one Worker for `npm run bench -- edge`: a region's replica, its KV namespace and the
 * admin Worker's key set. It has every config whose name says what it holds (bench-config.ts), compiled as the real
 * replica compiles it, and counts each question: a hit must ask none.
 */
interface StandInEnv {
  JWKS: string;
  REGION: string;
}

const POSITION: ReplicaPosition = { cluster_id: "c1", epoch: 1, index: 1_000, age_ms: 0 };
const TENANT = "demo";
/** Configs whose bytes are kept: those that were looked up last are read next. */
const CONFIGS_HELD_MAX = 2_000;

interface Stored {
  entry: HeadEntry;
  values: ReadonlyMap<string, Uint8Array>;
}

const calls = { changes: 0, lookups: 0, contents: 0, kv_gets: 0, key_sets: 0 };
const stored = new Map<string, Stored>();
/** KV key -> name of the config that it is of; small, so that all are kept. */
const nameByKey = new Map<string, string>();

/** Compiles a config, or finds it compiled; null for a name that says nothing. */
async function configOf(name: string, region: string): Promise<Stored | null> {
  const held = stored.get(name);
  if (held !== undefined) return held;
  const made = benchConfigEvent(name);
  if (made === null) return null;
  const contents = new Map<string, BenchContent>();
  for (const content of made.contents) contents.set(await sha256Hex(content.bytes), content);
  const hashes = [...contents.keys()];
  const document = compileDocument({
    event: {
      ...made.event,
      variants: made.contents.map(({ version_id, bytes }, i) => ({
        version_id,
        sha256: hashes[i] ?? "",
        content_bytes: bytes.byteLength,
        format: "json",
      })),
    },
    region,
    inline: (sha256) => {
      const bytes = contents.get(sha256)?.bytes;
      return bytes !== undefined && bytes.byteLength <= INLINE_BYTES_MAX ? bytes : undefined;
    },
  });
  const bytes = encodeDocument(document);
  const doc = await sha256Hex(bytes);
  const values = new Map([[documentKey(TENANT, doc), bytes]]);
  for (const { content, sha256 } of document.variants) {
    const large = contents.get(sha256)?.bytes;
    if (content === null && large !== undefined) values.set(variantKey(TENANT, sha256), large);
  }
  for (const key of values.keys()) nameByKey.set(key, name);
  const config = { entry: { name, doc, index: 1, version: made.event.latest_version_id }, values };
  stored.set(name, config);
  if (stored.size > CONFIGS_HELD_MAX) stored.delete(stored.keys().next().value ?? "");
  return config;
}

async function valueOf(key: string, region: string): Promise<Uint8Array | null> {
  const name = nameByKey.get(key);
  return name === undefined ? null : ((await configOf(name, region))?.values.get(key) ?? null);
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The region's replica. */
export class Replica extends DurableObject<StandInEnv> implements RegionReplicaRpc {
  async changesSince(): Promise<HeadChanges> {
    calls.changes += 1;
    return { ...POSITION, entries: [], revocations: [], tokens_not_before_ms: 0, dropped: false };
  }
  async lookup({ names }: { names: string[] }): Promise<HeadLookup> {
    calls.lookups += 1;
    const entries = await Promise.all(
      names.map(
        async (name) =>
          (await configOf(name, this.env.REGION))?.entry ?? { name, doc: null, index: 0, version: 0 },
      ),
    );
    return { ...POSITION, entries, reached: true };
  }
  async listNamespace(): Promise<NamespacePage> {
    return { ...POSITION, entries: [], next_cursor: null };
  }
  async content({ key }: { key: string }): Promise<ArrayBuffer | null> {
    calls.contents += 1;
    const value = await valueOf(key, this.env.REGION);
    return value === null ? null : new Uint8Array(value).buffer;
  }
  async ensureFollowing(): Promise<ReplicaPosition> {
    return POSITION;
  }
  async registerHub(): Promise<ReplicaPosition> {
    return POSITION;
  }
}

/** The region's KV namespace, as the runtime asks it: `GET /<key>`. */
export const kv = {
  async fetch(request, { REGION }) {
    calls.kv_gets += 1;
    const value = await valueOf(decodeURIComponent(new URL(request.url).pathname.slice(1)), REGION);
    return value === null ? new Response("not found", { status: 404 }) : new Response(value);
  },
} satisfies ExportedHandler<StandInEnv>;

/** The admin Worker's key set, and how often each question was asked. */
export default {
  fetch(request, { JWKS }) {
    if (new URL(request.url).pathname === "/calls") return Response.json(calls);
    calls.key_sets += 1;
    return new Response(JWKS, { headers: { "content-type": "application/json" } });
  },
} satisfies ExportedHandler<StandInEnv>;
