import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Position } from "../../contracts/core/core-api.ts";
import { COMMAND_FORMAT_VERSION } from "../../domain/command/command.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { Config } from "../../domain/config/config.ts";
import type { AdminEnv } from "./principal.ts";
import { sha256Hex, toHex } from "../../adapters/digest/sha256-hex.ts";

/**
 * What every command carries besides its payload: who, from where, in which trace, under which idempotency key.
 * The key's scope holds no more than a digest, so that a key which is itself a secret is not stored.
 */
export async function commandHead(c: Context<AdminEnv>, tenant: string, revision: number | null = null) {
  const { principal, traceId } = c.var;
  return {
    format: COMMAND_FORMAT_VERSION as typeof COMMAND_FORMAT_VERSION,
    tenant,
    actor: principal.actor,
    ip: principal.ip,
    trace_id: traceId,
    idempotency: await idempotency(c, tenant),
    expected_revision: revision,
  };
}

/** The request's idempotency key as commands carry it; null without one. */
export async function idempotency(
  c: Context<AdminEnv>,
  tenant: string,
): Promise<{ scope: string; digest: string } | null> {
  const key = c.req.header("x-idempotency-key");
  if (key === undefined) return null;
  const { actor } = c.var.principal;
  const encoder = new TextEncoder();
  // As JSON, so that no part can run into the next.
  const parts = JSON.stringify([actor.type, actor.id, tenant, c.req.method, c.req.path, key]);
  const hmacKey = await crypto.subtle.importKey(
    "raw",
    encoder.encode(c.var.deps.idempotencyKey),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const query = encoder.encode(sortedQuery(c));
  const asked = new Uint8Array(query.length + c.var.bodyBytes.length);
  asked.set(query);
  asked.set(c.var.bodyBytes, query.length);
  const digest = new Uint8Array(await crypto.subtle.sign("HMAC", hmacKey, asked));
  return { scope: await sha256Hex(parts), digest: toHex(digest) };
}

/**
 * The query is part of what is asked (`?prune=true`): another one under the same key is another request. Empty without one;
 * no body begins with `?`.
 */
function sortedQuery(c: Context<AdminEnv>): string {
  const { searchParams } = new URL(c.req.url);
  searchParams.sort();
  return searchParams.size === 0 ? "" : `?${searchParams.toString()}\n`;
}

/**
 * Names a request that makes no command of its own: the same for every repetition under one idempotency key; null without
 * one. Query and body are part of it, so that the same key with others is another request.
 */
export async function requestId(c: Context<AdminEnv>): Promise<string | null> {
  const key = await idempotency(c, SYSTEM_TENANT);
  return key && `req-${key.scope.slice(0, 32)}-${key.digest.slice(0, 32)}`;
}

/** The revision a request's `If-Match` asks for, null when it asks for none; `precondition_failed` for a stale one. */
export function expectedRevision(
  c: Context<AdminEnv>,
  { revision }: Pick<Config, "revision">,
): number | null {
  const header = c.req.header("if-match");
  if (header === undefined || header.trim() === "*") return null;
  const tags = header.split(",").map((tag) => tag.trim());
  if (tags.includes(configEtag(revision))) return revision;
  // Another revision is for the core to refuse: the request may be a repetition that it answers from memory.
  const other = /^"(\d{1,15})"$/.exec(tags[0] ?? "")?.[1];
  if (other !== undefined && tags.length === 1) return Number(other);
  throw new ConfluxError("precondition_failed", `It has changed: its ETag is ${configEtag(revision)}`);
}

export function configEtag(revision: number): string {
  return `"${revision}"`;
}

/** Marks an answer that repeats an earlier one, and signs the index of the write. */
export async function writtenIndex(
  c: Context<AdminEnv>,
  answer: Position & { replayed: boolean },
): Promise<string> {
  if (answer.replayed) c.header("idempotency-replayed", "true");
  const { cluster_id, epoch, index } = answer;
  return c.var.deps.indexSigner.sign({ cluster_id, epoch, index });
}
