/**
 * Anchors the audit's chains in the log. From the newest anchor on each chain is verified before its end is anchored, so a
 * chain that was changed since is found within a run's pause, and never anchored as it is then.
 */
import type { CorePort } from "../../contracts/core/core-port.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CursorStore, FeedPosition } from "../../contracts/projection/cursor-store.ts";
import { BEFORE_CHAIN, type ChainFinding, type ChainPlace } from "../../domain/access/verify-chain.ts";
import { COMMAND_FORMAT_VERSION } from "../../domain/command/command.ts";
import type { Database } from "../../adapters/postgres/connect.ts";
import { listAuditHeads } from "../../adapters/postgres/list-audit-heads.ts";
import { readAuditChain } from "../../adapters/postgres/read-audit-chain.ts";
import { verifyAuditChain } from "../../adapters/postgres/verify-audit-chain.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";

/** Chains whose ends one query lists. */
const HEADS_PAGE_MAX = 100;
/** Rows of one chain verified in one run; the next run goes on from there. */
const ROWS_PER_RUN_MAX = 20_000;
/** Left at the end of an invocation for the proposal on its way. */
const ANCHOR_RESERVE_MS = 10_000;
/**
 * Whose the cursor is: there is one for all chains. A round over them is what an epoch is of a feed, and a chain's place among
 * them, in the order of the tenants' names, what an index is.
 */
const CURSOR = { projection: "audit-anchor", clusterId: "all" };
/** Faults that a report tells of. */
const FAULTS_TOLD_MAX = 10;

export interface AnchorDeps {
  core: Pick<CorePort, "propose" | "getAuditAnchors">;
  database: Database;
  cursors: CursorStore;
  newTraceId: () => string;
  /** Milliseconds until the invocation must have ended. */
  remainingMs: () => number;
  log: (line: Record<string, string | number>) => void;
}
export interface AnchorReport {
  /** Looked at. */
  chains: number;
  anchored: number;
  /** Left to the next runs, which begin with them. */
  notReached: number;
  /** Chains that are not as they were written. */
  faults: ({ tenant: string } & ChainFinding)[];
}

type Head = { tenant: string } & ChainPlace;

/**
 * Anchors where every chain ends, one after the other, as far as time allows. A run that does not reach all logs how many
 * it left, and the next one begins there; so does the one after a run that failed at a chain. A chain with a fault is left as
 * it is, the others are anchored; then it rejects (`conflict`), naming the faults, so that the invocation fails and an alarm
 * rings. Also rejects when the core or Postgres is away. Without its cursor a run begins with the first chain.
 */
export async function anchorAuditChains(deps: AnchorDeps): Promise<AnchorReport> {
  const report: AnchorReport = { chains: 0, anchored: 0, notReached: 0, faults: [] };
  const heads = await listHeads(deps.database);
  const from = await readStart(deps);
  const first = from !== null && from.index < heads.length ? from.index : 0;
  try {
    for (const head of [...heads.slice(first), ...heads.slice(0, first)]) {
      if (deps.remainingMs() < ANCHOR_RESERVE_MS) break;
      report.chains += 1;
      const finding = await anchorChain(deps, head, report);
      if (finding === null) continue;
      const { tenant } = head;
      const { seq, kind, detail } = finding;
      deps.log({ level: "error", message: "audit chain broken", tenant, seq, kind, detail });
      report.faults.push({ tenant, ...finding });
    }
  } finally {
    report.notReached = heads.length - report.chains;
    if (report.notReached > 0) await leaveRest(deps, report, { from, first });
  }
  return ended(report);
}

/** Where every chain ends, in the order of the tenants' names. */
async function listHeads(database: Database): Promise<Head[]> {
  const heads: Head[] = [];
  for (;;) {
    const after = heads.at(-1)?.tenant ?? "";
    const page = await listAuditHeads(database, { after, limit: HEADS_PAGE_MAX });
    heads.push(...page);
    if (page.length < HEADS_PAGE_MAX) return heads;
  }
}

async function readStart(deps: AnchorDeps): Promise<FeedPosition | null> {
  try {
    return await deps.cursors.read(CURSOR);
  } catch (error) {
    deps.log({ level: "warn", message: "the anchors' cursor cannot be read", reason: String(error) });
    return null;
  }
}

/** Says what was not reached, and lets the next run begin with it. */
async function leaveRest(
  deps: AnchorDeps,
  { chains, notReached }: AnchorReport,
  start: { from: FeedPosition | null; first: number },
): Promise<void> {
  deps.log({ level: "warn", message: "chains not reached", chains, not_reached: notReached });
  if (chains === 0) return;
  const { from, first } = start;
  const all = chains + notReached;
  const round = (from?.epoch ?? 1) + (from !== null && first !== from.index ? 1 : 0);
  const next = first + chains;
  const to = next < all ? { epoch: round, index: next } : { epoch: round + 1, index: next - all };
  try {
    // Another run that has moved it meanwhile has done as well.
    await deps.cursors.advance(CURSOR, { from, to });
  } catch (error) {
    deps.log({ level: "warn", message: "the anchors' cursor cannot be moved", reason: String(error) });
  }
}

async function anchorChain(
  deps: AnchorDeps,
  { tenant, seq, hash }: Head,
  report: AnchorReport,
): Promise<ChainFinding | null> {
  const { anchors } = await deps.core.getAuditAnchors(tenant, { consistency: "leader" });
  const newest = anchors.at(-1) ?? BEFORE_CHAIN;
  // The anchored row is still there and nothing was added: all that is checked below.
  if (seq === newest.seq && hash === newest.hash) return null;
  const lost = await checkAnchoredRow(deps.database, tenant, newest);
  if (lost !== null) return lost;
  const { place, finding } = await verifyAuditChain(deps.database, {
    tenant,
    anchors: [],
    from: { seq: newest.seq, hash: newest.hash },
    isEnough: (rows) => rows >= ROWS_PER_RUN_MAX || deps.remainingMs() < ANCHOR_RESERVE_MS,
  });
  if (finding !== null || place.seq === newest.seq) return finding;
  await deps.core.propose<"anchor_audit">({
    command: {
      format: COMMAND_FORMAT_VERSION,
      kind: "anchor_audit",
      tenant,
      actor: { type: "system", id: "audit-anchor", name: "audit-anchor" },
      ip: "",
      trace_id: deps.newTraceId(),
      idempotency: null,
      expected_revision: null,
      payload: { seq: place.seq, hash: place.hash },
    },
    attachments: [],
  });
  report.anchored += 1;
  return null;
}

/** Whether the row that was anchored last is still there: rows after it only show that it was when they were written. */
async function checkAnchoredRow(
  database: Database,
  tenant: string,
  anchor: ChainPlace,
): Promise<ChainFinding | null> {
  if (anchor.seq === 0) return null;
  const { seq } = anchor;
  const [row] = await withTenant(database, tenant, (tx) =>
    readAuditChain(tx, { tenant, after: seq - 1, limit: 1 }),
  );
  if (row === undefined) return { seq, kind: "truncated", detail: `the anchored row ${seq} is cut off` };
  if (row.seq !== seq) return { seq, kind: "removed", detail: `the anchored row ${seq} is not there` };
  if (row.hash === anchor.hash) return null;
  return { seq, kind: "replaced", detail: `row ${seq} is not the one that was anchored` };
}

function ended(report: AnchorReport): AnchorReport {
  if (report.faults.length === 0) return report;
  const told = report.faults
    .slice(0, FAULTS_TOLD_MAX)
    .map(({ tenant, seq, kind }) => `${tenant} from row ${seq} (${kind})`)
    .join(", ");
  throw new ConfluxError("conflict", `The audit is not as it was written: ${told}.`);
}
