import type { VerifiedClientToken } from "../../adapters/tokens/verify-client-token.ts";
import {
  BATCH_ANSWER_BYTES_MAX,
  BATCH_BODY_BYTES_MAX,
  type BatchAnswer,
  type BatchItem,
  type BatchRequest,
  batchRequestSchema,
} from "../../contracts/delivery/batch.ts";
import type { HeadEntry } from "../../contracts/delivery/replica-rpc.ts";
import { BATCH_FETCH_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { TRACE_ID_HEADER } from "../../contracts/problem/problem.ts";
import { scopesAllowRead } from "../../domain/access/scope.ts";
import { isConfigName, NAME_RULE } from "../../domain/config/config-name.ts";
import type { Labels } from "../../domain/release-rule/labels.ts";
import { resolveRule } from "../../domain/release-rule/resolve.ts";
import { authenticate, bearerToken, refuseRevoked } from "./authenticate.ts";
import { requireConfigName, requireLabels } from "./client-request.ts";
import { withDeadline } from "./deadline.ts";
import type { Exchange } from "./exchange.ts";
import { limitClientRate } from "./limit-client-rate.ts";
import { loadContent, loadDocument } from "./load-document.ts";
import { readJson } from "./read-json.ts";
import { ensureHead, type HeadAnswer, minimumIndex, readHead } from "./read-head.ts";
import { matchesEtag } from "./serve-variant.ts";

const REPLICA_DEADLINE_MS = 2000;
/** Documents that one batch reads at a time: a Worker has six connections. */
const PARALLEL_READS_MAX = 6;

interface Batch {
  exchange: Exchange;
  labels: Labels;
  ifNoneMatch: Record<string, string>;
  bytesLeft: number;
}

/**
 * `POST /api/v1/fetch/batch`: up to BATCH_FETCH_MAX configs in one body, by name or as pages of a namespace. Each is
 * decided like a fetch of its own; all of one answer reflect one position.
 */
export async function fetchBatch(exchange: Exchange): Promise<Response> {
  const { request, traceId } = exchange;
  const token = await authenticate(exchange, bearerToken(exchange));
  await limitClientRate(exchange, token);
  const asked = await readBatchRequest(request);
  const labels = requireLabels(exchange.headers.labels);
  await ensureHead(exchange);
  refuseRevoked(exchange, token);
  const ifNoneMatch = asked.if_none_match ?? {};
  const batch: Batch = { exchange, labels, ifNoneMatch, bytesLeft: BATCH_ANSWER_BYTES_MAX };
  const { answer, staleMs } =
    "configs" in asked
      ? await byName(batch, asked.configs, token)
      : await byNamespace(batch, asked.namespace, asked.cursor ?? null, token);
  const headers = new Headers({
    "cache-control": "private, no-cache",
    "x-config-index": answer.index,
    [TRACE_ID_HEADER]: traceId,
  });
  if (staleMs !== null) headers.set("x-config-age", String(Math.ceil(staleMs / 1000)));
  return Response.json(answer, { headers });
}

interface Answered {
  answer: BatchAnswer;
  staleMs: number | null;
}

async function byName(
  batch: Batch,
  configs: readonly string[],
  token: VerifiedClientToken,
): Promise<Answered> {
  for (const [i, config] of configs.entries()) requireConfigName(config, `/configs/${i}`);
  const allowed = [...new Set(configs)].filter((config) => scopesAllowRead(token.scopes, config));
  const head = await readHead(batch.exchange, allowed, await minimumIndex(batch.exchange));
  const found = new Map((await itemsOf(batch, head)).map((item) => [item.config, item]));
  const items = configs.map((config): BatchItem => found.get(config) ?? { config, status: 404 });
  return { answer: { items, index: head.token, next_cursor: null }, staleMs: head.staleMs };
}

async function byNamespace(
  batch: Batch,
  namespace: string,
  cursor: string | null,
  token: VerifiedClientToken,
): Promise<Answered> {
  const { exchange } = batch;
  const segments = namespace.split("/");
  if (segments.length !== 3 || !segments.every(isConfigName)) {
    throw new ConfluxError("validation_failed", "this cannot be a namespace", {
      errors: [{ path: "/namespace", message: `expected tenant/app/env, each ${NAME_RULE}` }],
    });
  }
  // No name is asked for: this only waits for the minimum index.
  const head = await readHead(exchange, [], await minimumIndex(exchange));
  if (segments[0] !== token.tenant) {
    return { answer: { items: [], index: head.token, next_cursor: null }, staleMs: head.staleMs };
  }
  const page = await withDeadline(
    exchange.region.replica().listNamespace({ namespace, cursor, limit: BATCH_FETCH_MAX }),
    REPLICA_DEADLINE_MS,
    "the region's replica",
  );
  const { cluster_id, epoch, index } = page;
  const indexToken = await exchange.isolate.signer.sign({ cluster_id, epoch, index });
  const entries = page.entries.filter((entry) => scopesAllowRead(token.scopes, entry.name));
  const items = await itemsOf(batch, { entries, token: indexToken, staleMs: null });
  const servable = items.filter((item) => item.status !== 404);
  return {
    answer: { items: servable, index: indexToken, next_cursor: page.next_cursor },
    staleMs: head.staleMs,
  };
}

/** A few at a time, in order; what is answered twice is loaded once. */
async function itemsOf(batch: Batch, head: HeadAnswer): Promise<BatchItem[]> {
  const items: BatchItem[] = [];
  for (let i = 0; i < head.entries.length; i += PARALLEL_READS_MAX) {
    const some = head.entries.slice(i, i + PARALLEL_READS_MAX);
    items.push(...(await Promise.all(some.map((entry) => itemOf(batch, entry)))));
  }
  return items;
}

async function itemOf(batch: Batch, { name: config, doc }: HeadEntry): Promise<BatchItem> {
  const { exchange } = batch;
  if (doc === null) return { config, status: 404 };
  const { rules, variants } = await loadDocument(exchange, config, doc);
  const rule = resolveRule(rules, batch.labels);
  const prepared = rule === null ? undefined : variants.get(rule.version_id);
  if (prepared === undefined) return { config, status: 404 };
  exchange.region.fetches.note(config, exchange.nowMs, exchange.after);
  const { variant, contentType } = prepared;
  const head = {
    config,
    version: variant.version_id,
    hash: `sha256:${variant.sha256}`,
    etag: variant.etag,
  };
  const known = Object.hasOwn(batch.ifNoneMatch, config) ? (batch.ifNoneMatch[config] ?? null) : null;
  if (matchesEtag(known, variant.etag)) return { ...head, status: 304 };
  if (variant.content_bytes > batch.bytesLeft) return { ...head, status: 413 };
  batch.bytesLeft -= variant.content_bytes;
  const bytes = await loadContent(exchange, config, prepared);
  return { ...head, status: 200, content_type: contentType, ...jsonContent(bytes) };
}

/** Bytes as a JSON string where they are UTF-8, otherwise in base64: either way they come back exactly. */
function jsonContent(bytes: Uint8Array): { content: string } | { content_base64: string } {
  try {
    return { content: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { content_base64: base64(bytes) };
  }
}

function base64(bytes: Uint8Array): string {
  const CHUNK = 0x8000;
  let binary = "";
  for (let i = 0; i < bytes.byteLength; i += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  }
  return btoa(binary);
}

function readBatchRequest(request: Request): Promise<BatchRequest> {
  const expected = `{"configs": [1 to ${BATCH_FETCH_MAX} names]} or {"namespace", "cursor"?}, each with "if_none_match"?`;
  return readJson(request, { bytesMax: BATCH_BODY_BYTES_MAX, schema: batchRequestSchema, expected });
}
