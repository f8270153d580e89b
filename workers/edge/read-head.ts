import type { HeadChanges, HeadEntry } from "../../contracts/delivery/replica-rpc.ts";
import { MIN_INDEX_WAIT_MS } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { IndexPosition } from "../../domain/delivery/index-token.ts";
import { unavailable, withDeadline } from "./deadline.ts";
import type { Exchange } from "./exchange.ts";

/** How long the replica may take for an answer. */
const REPLICA_DEADLINE_MS = 2000;
/** How long a request waits for the head to be checked when it could be served from the one at hand. */
const REVALIDATE_WAIT_MS = 250;
/** Attempts to look a name up while the head moves. */
const LOOKUP_ATTEMPTS_MAX = 3;

/** What the head says of some names, and the position and age an answer made of it bears. */
export interface HeadAnswer {
  entries: HeadEntry[];
  token: string;
  staleMs: number | null;
}

/** Whether the region's head can be answered from without asking anybody: `ensureHead` would return at once. */
export function isHeadUsable({ region, isolate }: Exchange, nowMs: number): boolean {
  const { head } = region;
  const { headTtlMs, maxStaleMs } = isolate.settings;
  if (head.position === null) return false;
  const agoMs = head.checkedAgoMs(nowMs);
  return agoMs < headTtlMs || (agoMs <= maxStaleMs && head.attemptedWithin(headTtlMs, nowMs));
}

/**
 * Makes the region's head usable: checked within the last HEAD_TTL_MS, or being checked by another request, or (with the
 * replica away) not older than MAX_STALE_S. Throws `unavailable` otherwise.
 */
export async function ensureHead(exchange: Exchange): Promise<void> {
  const { head } = exchange.region;
  const { headTtlMs, maxStaleMs } = exchange.isolate.settings;
  if (head.position === null) {
    await revalidate(exchange);
    return;
  }
  const nowMs = Date.now();
  if (isHeadUsable(exchange, nowMs)) return;
  if (!head.attemptedWithin(headTtlMs, nowMs) && (await revalidateBriefly(exchange))) return;
  if (head.checkedAgoMs(Date.now()) > maxStaleMs) {
    throw unavailable(`the region has not been heard of for more than ${maxStaleMs / 1000} s`);
  }
}

/** Whether an answer must wait for the head to move before it satisfies `minimum`. */
export function isBehind(position: IndexPosition | null, minimum: IndexPosition): boolean {
  // Of another cluster, or of an epoch that a restore has ended: unknown, and so ignored.
  if (position === null || minimum.cluster_id !== position.cluster_id) return false;
  if (minimum.epoch !== position.epoch) return minimum.epoch > position.epoch;
  return minimum.index > position.index;
}

/** The verified `X-Conflux-Min-Index` of a request; null without one, or for one that we did not sign. */
export async function minimumIndex(exchange: Exchange): Promise<IndexPosition | null> {
  const { minimumIndex: token } = exchange.headers;
  return token === null ? null : exchange.isolate.signer.verify(token);
}

/**
 * What the head says of `names`, at `minimum` or later. `ensureHead` comes first. Names that the isolate does not hold
 * are asked of the replica. Throws `index_not_reached` when the region does not get to `minimum` in time and
 * `unavailable` when the replica is needed and away.
 */
export async function readHead(
  exchange: Exchange,
  names: readonly string[],
  minimum: IndexPosition | null,
): Promise<HeadAnswer> {
  const { head } = exchange.region;
  if (minimum !== null && isBehind(head.position, minimum)) {
    // One question brings the whole head forward, so that the others who wait for this index find it here.
    await revalidate(exchange);
    if (isBehind(head.position, minimum)) return waitForIndex(exchange, names, minimum);
  }
  // Taken together, before anything is awaited: another request may move or clear the head meanwhile.
  const { token, position } = head;
  const known = new Map<string, HeadEntry>();
  for (const name of names) {
    const held = head.get(name);
    if (held !== undefined) known.set(name, held);
  }
  const missing = names.filter((name) => !known.has(name));
  if (missing.length > 0) {
    for (const entry of await lookUp(exchange, missing)) known.set(entry.name, entry);
    // Started over in another epoch: what was held is of the old one.
    if (!sameLine(position, head.position)) return readHead(exchange, names, minimum);
  }
  const entries = names.map((name) => known.get(name) ?? neverSeen(name));
  return { entries, token, staleMs: head.staleMs(exchange.isolate.settings.headTtlMs, Date.now()) };
}

function sameLine(a: IndexPosition | null, b: IndexPosition | null): boolean {
  return a?.cluster_id === b?.cluster_id && a?.epoch === b?.epoch;
}

const neverSeen = (name: string): HeadEntry => ({ name, doc: null, index: 0, version: 0 });

/** Asks the replica to wait; what it then answers is newer than the head, which keeps its own pace. */
async function waitForIndex(
  exchange: Exchange,
  names: readonly string[],
  minimum: IndexPosition,
): Promise<HeadAnswer> {
  const { isolate, region } = exchange;
  const lookup = await withDeadline(
    region.replica().lookup({ names: [...names], min_index: minimum.index, wait_ms: MIN_INDEX_WAIT_MS }),
    MIN_INDEX_WAIT_MS + REPLICA_DEADLINE_MS,
    "the region's replica",
  );
  if (!lookup.reached || isBehind(lookup, minimum)) {
    throw new ConfluxError("index_not_reached", "the region has not reached the index asked for", {
      retryAfterS: 1,
    });
  }
  const { cluster_id, epoch, index } = lookup;
  const token = await isolate.signer.sign({ cluster_id, epoch, index });
  region.head.remember(lookup);
  return { entries: lookup.entries, token, staleMs: null };
}

async function lookUp(exchange: Exchange, names: string[]): Promise<HeadEntry[]> {
  const { region } = exchange;
  for (let attempt = 0; attempt < LOOKUP_ATTEMPTS_MAX; attempt += 1) {
    const lookup = await withDeadline(
      region.replica().lookup({ names }),
      REPLICA_DEADLINE_MS,
      "the region's replica",
    );
    if (region.head.remember(lookup)) return lookup.entries;
    // The head moved past the answer, or the replica started a new epoch: bring both to one position.
    await revalidate(exchange);
  }
  throw unavailable("the region's replica is behind what it had told before");
}

/**
 * Checks the head, waiting only briefly: the one at hand is good enough, and the check goes on behind the answer.
 * Answers whether it has been checked.
 */
async function revalidateBriefly(exchange: Exchange): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const brief = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), REVALIDATE_WAIT_MS);
  });
  const check = revalidate(exchange).then(
    () => true,
    (error: unknown) => {
      exchange.isolate.log({
        level: "warn",
        message: `the head of ${exchange.region.name} could not be checked`,
        trace_id: exchange.traceId,
        error,
      });
      return false;
    },
  );
  exchange.after.waitUntil(check);
  const checked = await Promise.race([check, brief]);
  clearTimeout(timer);
  return checked;
}

/** Asks what changed and applies it. Throws `unavailable` when the replica is away or behind what it had told before. */
async function revalidate(exchange: Exchange): Promise<void> {
  const { isolate, region } = exchange;
  const { head } = region;
  const askedAtMs = Date.now();
  head.attempt(askedAtMs);
  try {
    const held = head.position;
    let since = held?.index ?? 0;
    let changes = await askChanges(exchange, held);
    if (changes.dropped && held !== null) {
      // A dropped delta carries nothing, the live revocations neither: they come with a start from 0.
      since = 0;
      changes = await askChanges(exchange, null);
    }
    const { cluster_id, epoch, index } = changes;
    const token = await isolate.signer.sign({ cluster_id, epoch, index });
    if (!head.apply(changes, { since, atMs: askedAtMs, token, nowMs: Date.now() })) {
      throw unavailable("the region's replica is behind what it had told before");
    }
  } catch (error) {
    head.fail();
    throw error;
  }
}

function askChanges(exchange: Exchange, from: IndexPosition | null): Promise<HeadChanges> {
  const { cluster_id, epoch, index } = from ?? { cluster_id: "", epoch: 0, index: 0 };
  return withDeadline(
    exchange.region.replica().changesSince({ cluster_id, epoch, since: index }),
    REPLICA_DEADLINE_MS,
    "the region's replica",
  );
}
