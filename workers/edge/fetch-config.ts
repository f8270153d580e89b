import type { VerifiedClientToken } from "../../adapters/tokens/verify-client-token.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { scopesAllowRead } from "../../domain/access/scope.ts";
import type { Labels } from "../../domain/release-rule/labels.ts";
import { resolveRule } from "../../domain/release-rule/resolve.ts";
import { authenticate, authenticateAtOnce, bearerToken, refuseRevoked } from "./authenticate.ts";
import { noSuchConfig, requireConfigName, requireLabels } from "./client-request.ts";
import type { PreparedDocument } from "./document-cache.ts";
import type { Exchange } from "./exchange.ts";
import { findDocument } from "./find-document.ts";
import { limitClientRate } from "./limit-client-rate.ts";
import { contentInMemory } from "./load-document.ts";
import { isHeadUsable } from "./read-head.ts";
import { type Circumstances, matchesEtag, type PreparedVariant } from "./serve-variant.ts";

/**
 * `GET|HEAD /api/v1/fetch/config/{tenant}/{app}/{env}/{name}`: the bytes that the client's labels select in its region.
 * `path` is what follows `config/`. With a fresh head and a known document this does no I/O, makes no promise and parses
 * no JSON.
 */
export function fetchConfig(exchange: Exchange, path: string): Promise<Response> | Response {
  const token = authenticateAtOnce(exchange, bearerToken(exchange));
  if (token === null) return fetchAsStranger(exchange, path);
  const limited = limitClientRate(exchange, token);
  const answer = limited === null ? answerFromMemory(exchange, token, path) : null;
  return answer ?? answerWithIo(exchange, token, path, limited);
}

/** For whoever has no token, or one that has yet to be verified. */
async function fetchAsStranger(exchange: Exchange, path: string): Promise<Response> {
  const token = await authenticate(exchange, bearerToken(exchange));
  return answerWithIo(exchange, token, path, limitClientRate(exchange, token));
}

/**
 * The answer when all that it takes is in memory; null when something must be asked for or waited for, or a path must be
 * decoded or refused. Decides in the order of `answerWithIo`: the labels first, then revocation and scope, and only then
 * anything that tells of the config, a 304 included.
 */
function answerFromMemory(exchange: Exchange, token: VerifiedClientToken, path: string): Response | null {
  const { headers, region, isolate, nowMs } = exchange;
  if (headers.minimumIndex !== null || !isHeadUsable(exchange, nowMs)) return null;
  // Only names are held: a path that must be decoded, or is none, is not found here.
  const entry = region.head.get(path);
  if (entry === undefined) return null;
  const labels = requireLabels(headers.labels);
  refuseRevoked(exchange, token);
  // The path is a part of the URL's text; the name that is held is a text of its own, and looked through faster.
  const { name, doc } = entry;
  if (!scopesAllowRead(token.scopes, name) || doc === null) throw noSuchConfig();
  const held = isolate.documents.document(doc);
  if (held === undefined) return null;
  const prepared = selectVariant(exchange, name, held, labels);
  const circumstances = {
    indexToken: region.head.token,
    traceId: exchange.traceId,
    staleMs: region.head.staleMs(isolate.settings.headTtlMs, nowMs),
  };
  const short = answerWithoutContent(exchange, prepared, circumstances);
  if (short !== null) return short;
  const content = contentInMemory(exchange, prepared);
  return content === null ? null : prepared.full(content, circumstances);
}

/** `limited`: what the client's rate has to wait for, if anything. */
async function answerWithIo(
  exchange: Exchange,
  token: VerifiedClientToken,
  path: string,
  limited: Promise<void> | null,
): Promise<Response> {
  const { headers, traceId } = exchange;
  if (limited !== null) await limited;
  const config = decodePath(path);
  const labels = requireLabels(headers.labels);
  const { document, indexToken, staleMs, content } = await findDocument(exchange, token, config);
  const prepared = selectVariant(exchange, config, document, labels);
  const circumstances = { indexToken, traceId, staleMs };
  return (
    answerWithoutContent(exchange, prepared, circumstances) ??
    prepared.full(await content(prepared), circumstances)
  );
}

/** The variant that a client with `labels` gets; the same 404 as for no config when no rule gives it one. */
function selectVariant(
  exchange: Exchange,
  config: string,
  { rules, variants }: PreparedDocument,
  labels: Labels,
): PreparedVariant {
  const rule = resolveRule(rules, labels);
  const prepared = rule === null ? undefined : variants.get(rule.version_id);
  if (prepared === undefined) throw noSuchConfig();
  exchange.region.fetches.note(config, exchange.nowMs, exchange.after);
  return prepared;
}

/** The answer to a client that has the content already or does not want it; null when it is to be sent. */
function answerWithoutContent(
  { headers, method }: Exchange,
  prepared: PreparedVariant,
  circumstances: Circumstances,
): Response | null {
  if (matchesEtag(headers.ifNoneMatch, prepared.variant.etag)) {
    return prepared.notModified(circumstances);
  }
  return method === "HEAD" ? prepared.head(circumstances) : null;
}

/**
 * The name that a path spells. Each segment is decoded by itself, so that an encoded slash stays inside its segment and
 * makes it no name. Throws `validation_failed` for a segment that is no name or is not percent-encoded UTF-8.
 */
function decodePath(path: string): string {
  if (path.includes("%")) return requireSegments(path.split("/").map(decodeSegment)).join("/");
  requireConfigName(path, "/config");
  return path;
}

function requireSegments(segments: string[]): string[] {
  // An encoded slash would turn one segment into two once they are joined.
  requireConfigName(segments.some((segment) => segment.includes("/")) ? "" : segments.join("/"), "/config");
  return segments;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    const message = "not percent-encoded UTF-8";
    throw new ConfluxError("validation_failed", `the path is ${message}`, {
      errors: [{ path: "/config", message }],
      cause,
    });
  }
}
