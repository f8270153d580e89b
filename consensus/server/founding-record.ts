import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeId } from "../raft/types.ts";
import { replaceFile } from "../storage/replace-file.ts";

const RECORD_FILE = "founding.json";
const FORMAT = 1;

/**
 * How a node came to its cluster. `accepted`: it has agreed to the membership and never voted; `voting`: its log is made
 * and it may vote; `fenced`: it came up with an empty disk although the cluster knew it, and never votes (R5).
 * `joining`: it asks to be let in by a cluster that is there; `joined`: it was, and its log is made.
 */
export interface FoundingRecord {
  state: "accepted" | "voting" | "fenced" | "joining" | "joined";
  /** The membership the cluster began with, ascending. */
  members: NodeId[];
  /** On the node that founded: who has told it that its own record is durable. An empty disk of these is a lost one. */
  confirmed: NodeId[];
  /** Of a node that was let in later: made with its disk, so that a lost disk is told from the first one. */
  disk_id?: string;
}

/** The record of a data directory; null when there is none. Throws an `Error` that names a damaged file. */
export function readFoundingRecord(directory: string): FoundingRecord | null {
  const path = join(directory, RECORD_FILE);
  if (!existsSync(path)) return null;
  try {
    const { format, ...record } = JSON.parse(readFileSync(path, "utf8")) as FoundingRecord & {
      format: number;
    };
    const { state, members, confirmed } = record;
    const isList = (ids: unknown): boolean =>
      Array.isArray(ids) && ids.every((id) => Number.isSafeInteger(id) && id > 0);
    const known = ["accepted", "voting", "fenced", "joining", "joined"].includes(state);
    if (format === FORMAT && known && isList(members) && isList(confirmed)) return record;
  } catch (cause) {
    throw new Error(`${path} is damaged: ${String(cause)}`, { cause });
  }
  throw new Error(`${path} is damaged or of another format`);
}

/** Durable when it returns. */
export function writeFoundingRecord(directory: string, record: FoundingRecord): void {
  const path = join(directory, RECORD_FILE);
  const next = `${path}.next`;
  writeFileSync(next, JSON.stringify({ format: FORMAT, ...record }));
  const descriptor = openSync(next, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  replaceFile(next, path);
}
