import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { scopesAllowRead } from "../../domain/access/scope.ts";
import { resolveRule } from "../../domain/release-rule/resolve.ts";
import { authenticate, bearerToken, refuseRevoked } from "./authenticate.ts";
import { clientLabels, noSuchConfig, requireConfigName } from "./client-request.ts";
import type { Exchange } from "./exchange.ts";
import { limitClientRate } from "./limit-client-rate.ts";
import { loadContent, loadDocument } from "./load-document.ts";
import { ensureHead, minimumIndex, readHead } from "./read-head.ts";
import { fullResponse, headResponse, matchesEtag, notModifiedResponse } from "./serve-variant.ts";

/**
 * `GET|HEAD /api/v1/fetch/config/{tenant}/{app}/{env}/{name}`: the bytes that the client's labels select in its region.
 * `path` is what follows `config/`. With a fresh head and a known document this does no I/O and parses no JSON.
 */
export async function fetchConfig(exchange: Exchange, path: string): Promise<Response> {
  const { request, traceId } = exchange;
  const token = await authenticate(exchange, bearerToken(request));
  await limitClientRate(exchange, token);
  const config = decodePath(path);
  const labels = clientLabels(request);
  await ensureHead(exchange);
  refuseRevoked(exchange, token);
  if (!scopesAllowRead(token.scopes, config)) throw noSuchConfig();
  const minimum = await minimumIndex(exchange);
  const { entries, token: indexToken, staleMs } = await readHead(exchange, [config], minimum);
  const hash = entries[0]?.doc ?? null;
  if (hash === null) throw noSuchConfig();
  const { rules, variants } = await loadDocument(exchange, config, hash);
  const rule = resolveRule(rules, labels);
  const prepared = rule === null ? undefined : variants.get(rule.version_id);
  if (prepared === undefined) throw noSuchConfig();
  exchange.region.fetches.note(config, exchange.waitUntil);
  const circumstances = { indexToken, traceId, staleMs };
  if (matchesEtag(request.headers.get("if-none-match"), prepared.variant.etag)) {
    return notModifiedResponse(prepared, circumstances);
  }
  if (request.method === "HEAD") return headResponse(prepared, circumstances);
  return fullResponse(prepared, await loadContent(exchange, config, prepared), circumstances);
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
