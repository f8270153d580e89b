import type { JSONWebKeySet } from "jose";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { createClientTokenVerifier } from "../../adapters/tokens/verify-client-token.ts";
import { kvBindingName } from "../../contracts/delivery/replica-rpc.ts";
import { locationGroup } from "../../domain/delivery/location-group.ts";
import { ClientRates } from "./client-rates.ts";
import { CoreFallback } from "./core-fallback.ts";
import { unavailable, withDeadline } from "./deadline.ts";
import { DocumentCache } from "./document-cache.ts";
import { type EdgeEnv, readSettings, replicaOf } from "./env.ts";
import type { Isolate, Log, Region } from "./exchange.ts";
import { FetchNotes } from "./fetch-notes.ts";
import { HeadCache } from "./head-cache.ts";
import type { EdgeCore } from "./open-core.ts";

const JWKS_URL = "http://admin/.well-known/jwks.json";
const JWKS_DEADLINE_MS = 2000;
const QUEUE_DEADLINE_MS = 5000;

/** Sets up an isolate from its bindings; a `RangeError` names a binding that makes no sense. */
export function createIsolate(env: EdgeEnv, log: Log, openCore: (env: EdgeEnv) => EdgeCore | null): Isolate {
  const settings = readSettings(env);
  const core = openCore(env);
  /** By name, then by group. */
  const regions = new Map<string, Region[]>();
  const region = (name: string, location: string | undefined): Region => {
    // Only configured regions and groups have state, so that no request can make this map grow.
    const known = settings.regions.includes(name) ? name : (settings.regions[0] ?? name);
    const group = locationGroup(location, settings.replicaGroups);
    let groups = regions.get(known);
    if (groups === undefined) regions.set(known, (groups = []));
    return (groups[group] ??= {
      name: known,
      head: new HeadCache(),
      replica: () => replicaOf(env, known, group),
      kv: env[kvBindingName(known) as `KV_${string}`] ?? null,
      fetches: new FetchNotes({
        region: known,
        send: (message) =>
          withDeadline(env.DELIVERY.send(message, { contentType: "json" }), QUEUE_DEADLINE_MS, "the queue"),
        log,
        nowMs: () => Date.now(),
        sleep: (ms) => scheduler.wait(ms),
      }),
    });
  };
  return {
    env,
    settings,
    verifier: createClientTokenVerifier({
      jwks: () => readKeySet(env),
      now: () => Date.now(),
      onKeysError: (error) => {
        log({ level: "warn", message: "the key set could not be read", error });
      },
    }),
    signer: createIndexSigner(env.INDEX_SIGNING_KEY),
    documents: new DocumentCache(),
    rates: new ClientRates(Math.trunc(Math.random() * 0x1_0000_0000)),
    counter: env.CLIENT_RATE ?? null,
    fallback: core === null ? null : new CoreFallback(core),
    region,
    log,
  };
}

/** Reads the key set of the admin Worker. */
async function readKeySet(env: EdgeEnv): Promise<JSONWebKeySet> {
  const response = await env.ADMIN.fetch(JWKS_URL, { signal: AbortSignal.timeout(JWKS_DEADLINE_MS) });
  if (!response.ok) throw unavailable(`the key set was answered with ${response.status}`);
  return response.json();
}
