import type { IndexSigner } from "../../adapters/index-signature/index-signer.ts";
import type { ClientTokenVerifier } from "../../adapters/tokens/verify-client-token.ts";
import type { RegionReplicaRpc } from "../../contracts/delivery/replica-rpc.ts";
import type { ClientRates } from "./client-rates.ts";
import type { CoreFallback } from "./core-fallback.ts";
import type { DocumentCache } from "./document-cache.ts";
import type { EdgeEnv, Settings } from "./env.ts";
import type { AfterAnswer, FetchNotes } from "./fetch-notes.ts";
import type { HeadCache } from "./head-cache.ts";
import type { ReadHeaders } from "./read-headers.ts";

/** Something an operator should know; the host decides where it goes. */
export interface LogEntry {
  level: "warn" | "error";
  message: string;
  trace_id?: string;
  error?: unknown;
}
export type Log = (entry: LogEntry) => void;

/** What requests of one isolate share for one region and group of locations. */
export interface Region {
  name: string;
  head: HeadCache;
  replica: () => RegionReplicaRpc;
  kv: KVNamespace | null;
  /** Tells which configs are fetched. */
  fetches: FetchNotes;
}

/**
 * What the requests of one isolate share. Values only: no request ever waits for a promise that another one made,
 * since a cancelled request would leave it pending forever.
 */
export interface Isolate {
  env: EdgeEnv;
  settings: Settings;
  verifier: ClientTokenVerifier;
  signer: IndexSigner;
  documents: DocumentCache;
  rates: ClientRates;
  /** The counter that the isolates of a location share; null limits nobody. */
  counter: RateLimit | null;
  /** Null: a region that is away is answered for by nobody. */
  fallback: CoreFallback | null;
  /** `location`: where the request arrived, as the platform tells. */
  region: (name: string, location: string | undefined) => Region;
  log: Log;
}

/** One request on its way through the edge. */
export interface Exchange {
  isolate: Isolate;
  region: Region;
  request: Request;
  /** Of the request, already read: the runtime is asked once. */
  method: string;
  headers: ReadHeaders;
  traceId: string;
  /** When it arrived. A request's clock stands still until it has waited for something. */
  nowMs: number;
  after: AfterAnswer;
}
