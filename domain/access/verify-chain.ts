import { CHAIN_START, type ChainedRow, encodeChainedRow } from "./audit-chain.ts";
import { AUDIT_REORDER_DISTANCE_MAX, AUDIT_VERIFY_PAGE_MAX } from "../limits.ts";

/** A row by its number and its hash. */
export interface ChainPlace {
  seq: number;
  hash: string;
}
export const BEFORE_CHAIN: ChainPlace = { seq: 0, hash: CHAIN_START };

/**
 * `changed`: the row does not have its hash, or the one after it names another. `removed`: it is not there, later ones are.
 * `reordered`: it belongs elsewhere in the chain. `replaced`: the chain fits together and is not the one that was anchored.
 * `truncated`: the chain ends before what was anchored.
 */
export const CHAIN_FAULTS = ["changed", "removed", "reordered", "replaced", "truncated"] as const;
export interface ChainFinding {
  /** Of the first row that is wrong. */
  seq: number;
  kind: (typeof CHAIN_FAULTS)[number];
  detail: string;
}

export interface VerifyChainInput {
  /** Rows of the chain after a seq, ascending. */
  read: (after: number, limit: number) => Promise<ChainedRow[]>;
  sha256: (bytes: Uint8Array<ArrayBuffer>) => Promise<string>;
  utf8: (text: string) => Uint8Array;
  /** What the log remembers of the chain, ascending; read before the rows are. */
  anchors: readonly ChainPlace[];
  /** What was verified before: `BEFORE_CHAIN`, or where an earlier call ended. */
  from: ChainPlace;
  /** Whether to end here for now; asked after each page. */
  isEnough: (rows: number) => boolean;
}
export interface VerifiedChain {
  /** The last row that is as it was written. */
  place: ChainPlace;
  rows: number;
  /** The end of the chain was reached, or a fault. */
  complete: boolean;
  anchorsMet: number;
  finding: ChainFinding | null;
}

/**
 * Walks a chain page by page and stops at the first row that is not as it was written. Holds no more than a page. What was
 * cut off since the newest anchor cannot be seen by anyone.
 */
export async function verifyChain(input: VerifyChainInput): Promise<VerifiedChain> {
  let { from: place } = input;
  let rows = 0;
  let anchorsMet = 0;
  const anchors = new Map(input.anchors.map(({ seq, hash }) => [seq, hash]));
  const answer = (complete: boolean, finding: ChainFinding | null): VerifiedChain => ({
    place,
    rows,
    complete,
    anchorsMet,
    finding,
  });
  for (;;) {
    const page = await input.read(place.seq, AUDIT_VERIFY_PAGE_MAX);
    const hashes = await Promise.all(page.map((row) => input.sha256(encodeChainedRow(row, input.utf8))));
    for (const [i, row] of page.entries()) {
      const finding = await judge(input, place, row, hashes[i] ?? "");
      if (finding !== null) return answer(true, finding);
      const anchored = anchors.get(row.seq);
      if (anchored !== undefined && anchored !== row.hash) return answer(true, replaced(row.seq));
      if (anchored !== undefined) anchorsMet += 1;
      place = { seq: row.seq, hash: row.hash };
      rows += 1;
    }
    if (page.length < AUDIT_VERIFY_PAGE_MAX) return answer(true, truncated(place, input.anchors));
    if (input.isEnough(rows)) return answer(false, null);
  }
}

async function judge(
  input: VerifyChainInput,
  place: ChainPlace,
  row: ChainedRow,
  hash: string,
): Promise<ChainFinding | null> {
  const seq = place.seq + 1;
  if (row.seq !== seq) {
    return { seq, kind: "removed", detail: `row ${seq} is not there; the next one is row ${row.seq}` };
  }
  if (hash !== row.hash) {
    const home = await findHome(input, row);
    return home === null
      ? { seq, kind: "changed", detail: `row ${seq} does not have the hash that was made of it` }
      : { seq, kind: "reordered", detail: `at ${seq} stands the row that was written as ${home}` };
  }
  if (row.prevHash === place.hash) return null;
  // The row before has its own hash and yet another one than it had when this row was written.
  const changed = Math.max(place.seq, 1);
  return { seq: changed, kind: "changed", detail: `row ${seq} names another row before it` };
}

/** Under which number a row has the hash that it bears; null for none nearby. */
async function findHome(input: VerifyChainInput, row: ChainedRow): Promise<number | null> {
  for (let distance = 1; distance <= AUDIT_REORDER_DISTANCE_MAX; distance += 1) {
    for (const seq of [row.seq + distance, row.seq - distance]) {
      if (seq < 1) continue;
      if ((await input.sha256(encodeChainedRow({ ...row, seq }, input.utf8))) === row.hash) return seq;
    }
  }
  return null;
}

function replaced(seq: number): ChainFinding {
  return {
    seq,
    kind: "replaced",
    detail: `row ${seq} is not the one that the log has anchored: it or rows before it were written anew`,
  };
}

function truncated(place: ChainPlace, anchors: readonly ChainPlace[]): ChainFinding | null {
  const newest = anchors.at(-1);
  if (newest === undefined || newest.seq <= place.seq) return null;
  const detail = `the chain ends at ${place.seq}; the log has anchored row ${newest.seq}`;
  return { seq: place.seq + 1, kind: "truncated", detail };
}
