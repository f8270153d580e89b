import { createExecutionContext } from "cloudflare:test";
import { env as testEnv } from "cloudflare:workers";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { DeliveryMessage } from "../../../contracts/delivery/delivery-message.ts";
import { encodeDocument } from "../../../contracts/delivery/document-codec.ts";
import { kvBindingName, replicaName } from "../../../contracts/delivery/replica-rpc.ts";
import { INLINE_BYTES_MAX } from "../../../contracts/limits.ts";
import { compileDocument } from "../../../domain/delivery/compile-document.ts";
import { documentKey, variantKey } from "../../../domain/delivery/compiled-document.ts";
import type { ConfigChanged } from "../../../domain/command/feed-entry.ts";
import type { ConfigFormat } from "../../../domain/config/config.ts";
import type { ReleaseRule } from "../../../domain/release-rule/release-rule.ts";
import { createEdge } from "../app.ts";
import type { EdgeEnv } from "../env.ts";
import type { LogEntry } from "../exchange.ts";
import type { EdgeCore } from "../open-core.ts";
import type { FakeReplica } from "./fake-replica.ts";
import { sendToHosted } from "./host-edge.ts";

export const SIGNING_KEY = "a key of the tests alone";
const bindings = testEnv as unknown as {
  EDGE_FAKE_REPLICA: DurableObjectNamespace<FakeReplica>;
  EDGE_FAKE_HUB: DurableObjectNamespace;
  KV_US_EAST_1: KVNamespace;
};

export interface Published {
  /** `tenant/app/env/name`; `demo/shop/prod/app` when left out. */
  config?: string;
  /** Contents of versions 1, 2, 3. */
  contents: (string | Uint8Array)[];
  rules: (Partial<ReleaseRule> & { version_id: number })[];
  format?: ConfigFormat;
  encrypted?: boolean;
  /** Where the bytes stand; both when left out. */
  kv?: boolean;
  replica?: boolean;
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An issuer of client tokens; `issue` takes changed claims and header fields. */
async function createIssuer() {
  const { publicKey, privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: "EdDSA" };
  const state = { away: false, hold: false, reads: 0 };
  const issue = (changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
    new SignJWT({
      iss: "conflux",
      aud: "conflux-edge",
      sub: "t1",
      jti: "j1",
      tenant: "demo",
      scopes: ["read:demo/shop/prod/*"],
      iat: Math.floor(Date.now() / 1000),
      exp: Math.floor(Date.now() / 1000) + 600,
      ...changes,
    })
      .setProtectedHeader({ alg: "EdDSA", kid: "k1", typ: "conflux-client+jwt", ...header })
      .sign(privateKey);
  const admin = {
    fetch: async () => {
      state.reads += 1;
      while (state.hold) await scheduler.wait(5);
      return state.away ? new Response("away", { status: 503 }) : Response.json({ keys: [jwk] });
    },
  };
  return { state, issue, admin };
}

/** A queue that keeps what it is sent, and that a test may take away. */
function createQueue() {
  const state = { away: false, messages: [] as DeliveryMessage[] };
  const binding: EdgeEnv["DELIVERY"] = {
    send: async (message) => {
      if (state.away) throw new Error("the queue is away");
      // As it would arrive: JSON.
      state.messages.push(JSON.parse(JSON.stringify(message)) as DeliveryMessage);
      return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
    },
  };
  return { state, binding };
}

interface Place {
  region: string;
  kv: KVNamespace;
  replica: DurableObjectStub<FakeReplica>;
}

/** Compiles a config for the region and gives it to the replica and KV. Answers the index of the change. */
async function publishTo({ region, kv, replica }: Place, input: Published): Promise<number> {
  const config = input.config ?? "demo/shop/prod/app";
  const tenant = config.slice(0, config.indexOf("/"));
  const contents = input.contents.map((c) => (typeof c === "string" ? new TextEncoder().encode(c) : c));
  const hashes = await Promise.all(contents.map(sha256Hex));
  const document = compileDocument({
    event: eventOf(config, input, contents, hashes),
    region,
    inline: (sha256) => {
      const content = contents[hashes.indexOf(sha256)];
      return content !== undefined && content.byteLength <= INLINE_BYTES_MAX ? content : undefined;
    },
  });
  const bytes = encodeDocument(document);
  const doc = await sha256Hex(bytes);
  const stored: [string, Uint8Array][] = [[documentKey(tenant, doc), bytes]];
  for (const { content, sha256 } of document.variants) {
    if (content !== null) continue;
    stored.push([variantKey(tenant, sha256), contents[hashes.indexOf(sha256)] ?? new Uint8Array()]);
  }
  for (const [key, value] of stored) {
    if (input.kv !== false) await kv.put(key, value);
    if (input.replica !== false) await replica.putContent(key, value);
  }
  return replica.put({ name: config, doc, version: contents.length });
}

function eventOf(
  config: string,
  { rules, format = "json", encrypted = false }: Published,
  contents: readonly Uint8Array[],
  hashes: readonly string[],
): ConfigChanged {
  const [tenant = "", app = "", env = "", name = ""] = config.split("/");
  const named = new Set(rules.map((rule) => rule.version_id));
  return {
    type: "config_changed",
    config_id: `id-${name}`,
    namespace: { tenant, app, env },
    name,
    encrypted,
    latest_version_id: contents.length,
    releases: rules.map((rule) => ({ labels: {}, priority: 0, ...rule })),
    variants: contents.flatMap((content, i) => {
      const variant = {
        version_id: i + 1,
        sha256: hashes[i] ?? "",
        content_bytes: content.byteLength,
        format,
      };
      return named.has(variant.version_id) ? [variant] : [];
    }),
  };
}

interface HarnessOptions {
  headTtlMs?: number;
  maxStaleS?: number;
  kv?: KVNamespace;
  regions?: string[];
  region?: string;
  allowedOrigins?: string;
  clientRate?: RateLimit;
  replicaGroups?: number;
  hubShards?: number;
  location?: string;
  /** The last place to ask; none when left out. */
  core?: EdgeCore;
}

/** An isolate of the edge with a region, a replica and an issuer of its own. */
export async function startEdge(options: HarnessOptions = {}) {
  // A region of its own for each test: objects of a file share storage.
  const regions = options.regions ?? [`test-${crypto.randomUUID()}`];
  const region = options.region ?? regions[0] ?? "";
  const kv = options.kv ?? bindings.KV_US_EAST_1;
  const issuer = await createIssuer();
  const logs: LogEntry[] = [];
  const replica = bindings.EDGE_FAKE_REPLICA.getByName(replicaName(region, 0));
  const queue = createQueue();
  const env: EdgeEnv = {
    DELIVERY: queue.binding,
    REPLICA: bindings.EDGE_FAKE_REPLICA,
    HUB: bindings.EDGE_FAKE_HUB,
    ADMIN: issuer.admin,
    CORE_URLS: "[]",
    CORE_SERVICE_KEY: "",
    INDEX_SIGNING_KEY: SIGNING_KEY,
    HEAD_TTL_MS: String(options.headTtlMs ?? 0),
    MAX_STALE_S: String(options.maxStaleS ?? 3600),
    REGIONS: regions.join(","),
    REPLICA_GROUPS: String(options.replicaGroups ?? 1),
    ...(options.hubShards === undefined ? {} : { HUB_SHARDS: String(options.hubShards) }),
    ALLOWED_ORIGINS: options.allowedOrigins ?? "",
    ...(options.clientRate === undefined ? {} : { CLIENT_RATE: options.clientRate }),
  };
  for (const name of regions) env[kvBindingName(name) as `KV_${string}`] = kv;

  const token = await issuer.issue();

  const newIsolate = () =>
    createEdge({
      regionOf: () => region,
      locationOf: () => options.location,
      openCore: () => options.core ?? null,
      log: (entry) => logs.push(entry),
    });
  let edge = newIsolate();

  async function send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${token}`);
    if (headers.get("authorization") === "none") headers.delete("authorization");
    const request = new Request(`http://edge.test${path}`, { ...init, headers });
    // What a client may abort is served in a context of its own, which ends with it.
    if (init.signal) return sendToHosted(edge, env, request);
    return edge.fetch(request, env, createExecutionContext());
  }

  return {
    env,
    region,
    kv,
    replica,
    issuer: issuer.state,
    queue: queue.state,
    issue: issuer.issue,
    token,
    logs,
    publish: (input: Published) => publishTo({ region, kv, replica }, input),
    send,
    /** Forgets what the isolate remembers, as an eviction would. */
    restart: () => {
      edge = newIsolate();
    },
    fetchConfig: (init: RequestInit = {}, config = "demo/shop/prod/app") =>
      send(`/api/v1/fetch/config/${config}`, init),
    fetchBatch: (body: unknown, init: RequestInit = {}) =>
      send("/api/v1/fetch/batch", { method: "POST", body: JSON.stringify(body), ...init }),
    /** What the queue was told by reports. */
    reported: () => queue.state.messages.filter((message) => message.kind === "reports"),
    postReports: (body: unknown, init: RequestInit = {}) =>
      send("/api/v1/reports", { method: "POST", body: JSON.stringify(body), ...init }),
  };
}

export const unique = (): string => JSON.stringify({ id: crypto.randomUUID() });
