import type { VerifiedClientToken } from "../../adapters/tokens/verify-client-token.ts";
import type { EdgeConfigAnswer } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { scopesAllowRead } from "../../domain/access/scope.ts";
import { refuseRevoked, revokedToken } from "./authenticate.ts";
import { noSuchConfig } from "./client-request.ts";
import { compileAnswer, type CoreFallback } from "./core-fallback.ts";
import { prepareDocument, type PreparedDocument } from "./document-cache.ts";
import type { Exchange } from "./exchange.ts";
import { loadContent, loadDocument } from "./load-document.ts";
import { ensureHead, isBehind, minimumIndex, readHead } from "./read-head.ts";
import type { PreparedVariant } from "./serve-variant.ts";

/** A document that the client may read, and what an answer made of it bears. */
export interface FoundDocument {
  document: PreparedDocument;
  indexToken: string;
  staleMs: number | null;
  content: (prepared: PreparedVariant) => Promise<Uint8Array>;
}

/**
 * The document of `config` for a client: from the region (head, then memory, KV or replica), and from the core when the
 * region does not answer (E4). Throws `unauthenticated` for a revoked token, `not_found` alike for no config and one that
 * is not permitted, `index_not_reached`, and `unavailable` when neither answers.
 */
export async function findDocument(
  exchange: Exchange,
  token: VerifiedClientToken,
  config: string,
): Promise<FoundDocument> {
  try {
    return await findInRegion(exchange, token, config);
  } catch (error) {
    const { fallback, log } = exchange.isolate;
    if (fallback === null || !isUnavailable(error)) throw error;
    try {
      return await findInCore(exchange, fallback, token, config);
    } catch (failure) {
      if (failure instanceof ConfluxError && !isUnavailable(failure)) throw failure;
      log({
        level: "warn",
        message: `neither the region nor the core answered for a config`,
        trace_id: exchange.traceId,
        error: failure,
      });
      // What is wrong with the region is what the client should hear of.
      throw error;
    }
  }
}

const isUnavailable = (error: unknown): boolean =>
  error instanceof ConfluxError && error.code === "unavailable";

async function findInRegion(
  exchange: Exchange,
  token: VerifiedClientToken,
  config: string,
): Promise<FoundDocument> {
  await ensureHead(exchange);
  refuseRevoked(exchange, token);
  if (!scopesAllowRead(token.scopes, config)) throw noSuchConfig();
  const minimum = await minimumIndex(exchange);
  const { entries, token: indexToken, staleMs } = await readHead(exchange, [config], minimum);
  const hash = entries[0]?.doc ?? null;
  if (hash === null) throw noSuchConfig();
  const document = await loadDocument(exchange, config, hash);
  return { document, indexToken, staleMs, content: (prepared) => loadContent(exchange, config, prepared) };
}

async function findInCore(
  exchange: Exchange,
  fallback: CoreFallback,
  token: VerifiedClientToken,
  config: string,
): Promise<FoundDocument> {
  const { isolate, region } = exchange;
  // Nobody learns by this that the config exists: the core is asked for those alone who may read it.
  if (!scopesAllowRead(token.scopes, config)) throw noSuchConfig();
  const answer = await fallback.read(config, token);
  if (answer.token_revoked || token.issued_at_ms < answer.tokens_not_before_ms) throw revokedToken();
  const { cluster_id, epoch, index } = answer;
  const minimum = await minimumIndex(exchange);
  const held = region.head.position;
  if ((held !== null && isBehind(answer, held)) || (minimum !== null && isBehind(answer, minimum))) {
    throw new ConfluxError("unavailable", "the core is behind what was served before", { retryAfterS: 1 });
  }
  if (!hasConfig(answer)) throw noSuchConfig();
  const document = prepareDocument(compileAnswer(answer, region.name));
  if (document.variants.size === 0) throw noSuchConfig();
  return {
    document,
    indexToken: await isolate.signer.sign({ cluster_id, epoch, index }),
    staleMs: null,
    content: (prepared) => contentBeside(exchange, fallback, config, prepared),
  };
}

function hasConfig(
  answer: EdgeConfigAnswer,
): answer is EdgeConfigAnswer & { config: NonNullable<EdgeConfigAnswer["config"]> } {
  return answer.config !== null;
}

/** KV may well have the bytes although the replica is away. */
async function contentBeside(
  exchange: Exchange,
  fallback: CoreFallback,
  config: string,
  prepared: PreparedVariant,
): Promise<Uint8Array> {
  try {
    return await loadContent(exchange, config, prepared);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    return fallback.content(config.slice(0, config.indexOf("/")), prepared.variant.sha256);
  }
}
