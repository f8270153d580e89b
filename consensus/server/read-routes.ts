import type {
  AuditAnchorsAnswer,
  ConfigAnswer,
  DeletedConfigAnswer,
  EdgeConfigAnswer,
  EdgeSnapshotAnswer,
  FeedAnswer,
  ListAnswer,
  PublishAnswer,
  StatusAnswer,
  VersionAnswer,
} from "../../contracts/core/core-api.ts";
import { SERVICE_ROLES } from "../../contracts/core/core-api.ts";
import {
  FEED_ANSWER_BYTES_MAX,
  FEED_LIMIT_MAX,
  FEED_WAIT_MS_MAX,
  INLINE_BYTES_MAX,
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
} from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { epochsOf } from "../../domain/backup/epochs-of.ts";
import { readAuditAnchors } from "../../domain/access/anchor-audit.ts";
import type { ChangeRequestHead } from "../../domain/change-request/change-request.ts";
import { readChangeRules } from "../../domain/change-request/change-rules.ts";
import {
  type ChangeRequestFilter,
  listChangeRequests,
  readChangeRequest,
} from "../../domain/change-request/read-changes.ts";
import type { Refusal } from "../../domain/command/apply-verb.ts";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";
import type { InlineBudget } from "../../domain/command/inline-blobs.ts";
import { readEdgeConfig } from "../../domain/command/read-edge-config.ts";
import { readEdgeSnapshot } from "../../domain/command/read-edge-snapshot.ts";
import { type EdgeEntry, readFeed } from "../../domain/command/read-feed.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import type { Config, ConfigVersion } from "../../domain/config/config.ts";
import {
  listConfigs,
  listVersions,
  readConfig,
  readConfigByName,
  readDeletedConfig,
  readVersion,
} from "../../domain/config/read-configs.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import { listDuePublishes, listPublishes, readPublish } from "../../domain/publish/read-publishes.ts";
import { NotProposedError } from "../replicated-log.ts";
import type { CoreContext } from "./core-context.ts";
import type { CoreReply, CoreRequest, Route } from "./http-router.ts";
import { consistencyOf, oneOf, wholeNumber } from "./query.ts";

/** A follower that is behind a cursor waits this long for it before it says that the cursor is ahead. */
const FEED_AHEAD_WAIT_MS = 1000;
const READERS = ["admin", "lambda"] as const;

/** The reads of contracts/core/core-api.ts. */
export function readRoutes(core: CoreContext): Route[] {
  const get = (path: string, roles: Route["roles"], handle: Route["handle"]): Route => ({
    method: "GET",
    path,
    roles,
    handle,
  });
  /** A read that waits until this node's state is as new as its consistency asks. */
  const barred =
    (read: (request: CoreRequest) => object) =>
    async (request: CoreRequest): Promise<CoreReply> => {
      await readBarrier(core, request);
      const answer = read(request);
      return { json: { ...core.position(), ...answer } };
    };
  const readersGet = (path: string, read: (request: CoreRequest) => object): Route =>
    get(path, READERS, barred(read));
  return [
    readersGet("/v1/configs", (r) => answerConfigs(core, r)),
    readersGet("/v1/configs/:id", (r) => answerConfig(core, r)),
    readersGet("/v1/deleted-configs/:id", (r) => answerDeletedConfig(core, r)),
    readersGet("/v1/config-by-name/:tenant/:app/:env/:name", (r) => answerByName(core, r)),
    readersGet("/v1/configs/:id/versions", (r) => answerVersions(core, r)),
    readersGet("/v1/configs/:id/versions/:v", (r) => answerVersion(core, r)),
    readersGet("/v1/publishes", (r) => answerPublishes(core, r)),
    readersGet("/v1/publishes/:id", (r) => answerPublish(core, r)),
    readersGet("/v1/change-rules/:tenant", ({ params: [tenant = ""] }) => ({
      rules: readChangeRules(core.store, tenant),
    })),
    readersGet("/v1/change-requests", (r) => answerChangeRequests(core, r)),
    readersGet("/v1/change-requests/:id", ({ params: [id = ""] }) => ({
      request: orThrow(readChangeRequest(core.store, id)).request,
    })),
    readersGet("/v1/audit-anchors/:tenant", (r) => answerAnchors(core, r)),
    get("/v1/blobs/:tenant/:sha256", SERVICE_ROLES, (r) => answerBlob(core, r)),
    get("/v1/feed", SERVICE_ROLES, (r) => answerFeed(core, r)),
    get("/v1/edge-snapshot", SERVICE_ROLES, (r) => answerSnapshot(core, r)),
    get(
      "/v1/edge-config/:tenant/:app/:env/:name",
      SERVICE_ROLES,
      barred((r) => answerEdgeConfig(core, r)),
    ),
    get("/v1/status", SERVICE_ROLES, async (r) => {
      // What the others have is known to the leader alone.
      if (r.query.get("consistency") === "leader") await readBarrier(core, r);
      return { json: answerStatus(core) };
    }),
  ];
}

/** Waits until this node is as new as the request asks; `unavailable` when it cannot be. */
export async function readBarrier(core: CoreContext, request: CoreRequest): Promise<void> {
  try {
    await core.log.readBarrier(consistencyOf(request.query));
  } catch (cause) {
    if (!(cause instanceof NotProposedError)) throw cause;
    throw new ConfluxError("unavailable", `this node cannot serve the read: ${cause.message}`, {
      cause,
      retryAfterS: 1,
    });
  }
}

function orThrow<T extends { ok: true }>(answer: T | Refusal): T {
  if (answer.ok) return answer;
  throw new ConfluxError(answer.code, answer.detail, { errors: answer.errors ?? [] });
}

type Body<T> = Omit<T, "cluster_id" | "epoch" | "index">;

function answerAnchors(core: CoreContext, { params: [tenant = ""] }: CoreRequest): Body<AuditAnchorsAnswer> {
  return { anchors: readAuditAnchors(core.store, tenant) };
}

function listInput(query: URLSearchParams): { limit: number; cursor?: string } {
  const limit = wholeNumber(query, "limit", { min: 1, max: LIST_LIMIT_MAX, fallback: LIST_LIMIT_DEFAULT });
  const cursor = query.get("cursor");
  return cursor === null ? { limit } : { limit, cursor };
}

function answerConfigs(core: CoreContext, { query }: CoreRequest): Body<ListAnswer<Config>> {
  const tenant = query.get("tenant");
  if (tenant === null) {
    throw new ConfluxError("malformed_request", "tenant is needed", {
      errors: [{ path: "/tenant", message: "missing" }],
    });
  }
  const filter: { app?: string; env?: string; name_prefix?: string } = {};
  for (const name of ["app", "env", "name_prefix"] as const) {
    const value = query.get(name);
    if (value !== null) filter[name] = value;
  }
  const { items, next_cursor } = listConfigs(core.store, { tenant, ...filter, ...listInput(query) });
  return { items, next_cursor };
}

function answerConfig(core: CoreContext, { params: [id = ""] }: CoreRequest): Body<ConfigAnswer> {
  return { config: orThrow(readConfig(core.store, id)).config };
}

function answerDeletedConfig(
  core: CoreContext,
  { params: [id = ""] }: CoreRequest,
): Body<DeletedConfigAnswer> {
  return { deleted: orThrow(readDeletedConfig(core.store, id)).deleted };
}

function answerByName(core: CoreContext, { params }: CoreRequest): Body<ConfigAnswer> {
  const [tenant = "", app = "", env = "", name = ""] = params;
  return { config: orThrow(readConfigByName(core.store, { tenant, app, env }, name)).config };
}

function answerVersions(
  core: CoreContext,
  { params: [id = ""], query }: CoreRequest,
): Body<ListAnswer<ConfigVersion>> {
  const { items, next_cursor } = orThrow(listVersions(core.store, { config_id: id, ...listInput(query) }));
  return { items, next_cursor };
}

function answerVersion(core: CoreContext, { params: [id = "", v = ""] }: CoreRequest): Body<VersionAnswer> {
  const versionId = /^[1-9]\d{0,14}$/.test(v) ? Number(v) : 0;
  return { version: orThrow(readVersion(core.store, { config_id: id, version_id: versionId })).version };
}

function answerPublish(core: CoreContext, { params: [id = ""] }: CoreRequest): Body<PublishAnswer> {
  return { publish: orThrow(readPublish(core.store, id)).publish };
}

/** The plans of a config, or those that are due: the query names one of the two. */
function answerPublishes(core: CoreContext, { query }: CoreRequest): Body<ListAnswer<PublishPlan>> {
  const configId = query.get("config_id");
  if ((configId === null) === (query.get("due_before") === null)) {
    const message = "give exactly one of config_id and due_before";
    throw new ConfluxError("malformed_request", message, { errors: [{ path: "/config_id", message }] });
  }
  const { items, next_cursor } = orThrow(
    configId === null
      ? listDuePublishes(core.store, {
          due_before_ms: wholeNumber(query, "due_before", { min: 0, max: Number.MAX_SAFE_INTEGER }),
          ...listInput(query),
        })
      : listPublishes(core.store, { config_id: configId, ...listInput(query) }),
  );
  return { items, next_cursor };
}

function answerChangeRequests(
  core: CoreContext,
  { query }: CoreRequest,
): Body<ListAnswer<ChangeRequestHead>> {
  const filter: Omit<ChangeRequestFilter, "tenant"> = {};
  for (const name of ["app", "env", "config_id", "state"] as const) {
    const value = query.get(name);
    if (value !== null) filter[name] = value;
  }
  const tenant = query.get("tenant") ?? "";
  // Callers of before name no time.
  const now_ms = wholeNumber(query, "now_ms", {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    fallback: Date.now(),
  });
  const input = { tenant, ...filter, now_ms, ...listInput(query) };
  const { items, next_cursor } = orThrow(listChangeRequests(core.store, input));
  return { items, next_cursor };
}

function answerBlob(core: CoreContext, { params: [tenant = "", sha256 = ""] }: CoreRequest): CoreReply {
  const bytes = core.store.bytes(stateKey.blob(tenant, sha256));
  if (bytes === undefined) throw new ConfluxError("not_found", `no content ${sha256}`);
  return { bytes, contentType: "application/octet-stream" };
}

async function answerFeed(core: CoreContext, request: CoreRequest): Promise<CoreReply> {
  const { query, signal, role } = request;
  const view = oneOf(query, "view", ["edge", "full"], "edge");
  if (view === "full" && role === "replica") {
    throw new ConfluxError("forbidden", "a replica sees the feed without who did what: view=edge");
  }
  const input = {
    after: wholeNumber(query, "after", { min: 0, max: Number.MAX_SAFE_INTEGER }),
    limit: wholeNumber(query, "limit", { min: 1, max: FEED_LIMIT_MAX, fallback: FEED_LIMIT_MAX }),
    view,
    charsMax: FEED_ANSWER_BYTES_MAX,
    inline: inlineOf(core, query),
  };
  const waitMs = wholeNumber(query, "wait_ms", { min: 0, max: FEED_WAIT_MS_MAX, fallback: 0 });
  const startedMs = performance.now();
  for (;;) {
    const page = readFeed(core.store.feed(), input);
    const behind = !page.ok && page.code === "feed_ahead";
    if (!behind) orThrow(page);
    const leftMs = startedMs + (behind ? Math.min(waitMs, FEED_AHEAD_WAIT_MS) : waitMs) - performance.now();
    const done = (page.ok && page.entries.length > 0) || leftMs <= 0 || signal.aborted || core.waiters.closed;
    if (!done) {
      await core.waiters.wait(leftMs, signal);
      continue;
    }
    const { entries, blobs } = orThrow(page);
    const answer: FeedAnswer<EdgeEntry | FeedEntry> = {
      ...core.position(),
      entries,
      last_index: core.store.lastFeedIndex(),
      blobs: toBase64(blobs),
    };
    return { json: answer };
  }
}

function answerSnapshot(core: CoreContext, { query }: CoreRequest): CoreReply {
  const page = readEdgeSnapshot(core.store, {
    cursor: query.get("cursor"),
    limit: listInput(query).limit,
    charsMax: FEED_ANSWER_BYTES_MAX,
    inline: inlineOf(core, query),
  });
  const answer: EdgeSnapshotAnswer = { ...core.position(), ...page, blobs: toBase64(page.blobs) };
  return { json: answer };
}

function answerEdgeConfig(core: CoreContext, { params, query }: CoreRequest): Body<EdgeConfigAnswer> {
  const [tenant = "", app = "", env = "", name = ""] = params;
  const answer = readEdgeConfig(core.store, {
    namespace: { tenant, app, env },
    name,
    jti: query.get("jti") ?? "",
    charsMax: FEED_ANSWER_BYTES_MAX,
    inline: inlineOf(core, query),
  });
  return { ...answer, blobs: toBase64(answer.blobs) };
}

function answerStatus(core: CoreContext): StatusAnswer {
  const status = core.log.status();
  return {
    ...core.position(),
    leader_id: status.leaderId,
    term: status.term,
    nodes: status.members.map(({ nodeId, matchIndex, voter, active }) => {
      const follows = voter ? "follower" : "learner";
      const self = nodeId === status.nodeId;
      return {
        node_id: nodeId,
        role: nodeId === status.leaderId ? "leader" : follows,
        raft_address: core.addressOf(nodeId).peer,
        match_index: self ? status.lastIndex : matchIndex,
        last_applied: self ? core.store.lastApplied() : Math.min(matchIndex, status.commitIndex),
        healthy: self || active,
        fenced: core.peers.isFenced(nodeId),
      };
    }),
    compacted_index: core.store.feed().compactedIndex,
    ...epochsOf(core.store.restored(), core.store.epoch()),
  };
}

function inlineOf(core: CoreContext, query: URLSearchParams): InlineBudget | null {
  if (query.get("inline") !== "1") return null;
  return { bytes: (key) => core.store.bytes(key), bytesMax: INLINE_BYTES_MAX };
}

function toBase64(blobs: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries(
    [...blobs].map(([sha256, bytes]) => [
      sha256,
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"),
    ]),
  );
}
