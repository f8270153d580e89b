/** What the device of a node holds, were its power cut now: what its promises must be backed by. */
import type { Message } from "../raft/types.ts";
import { parseSegmentName, scanSegment } from "../storage/wal-segment.ts";
import type { SimDisk } from "./sim-disk.ts";
import { check } from "./sim-failure.ts";

interface DurableLog {
  term: number;
  vote: number;
  lastIndex: number;
}

/** Reads the segments on the device. Damaged ones throw `WalCorruptError`. */
function durableLog(disk: SimDisk, directory: string): DurableLog {
  const log: DurableLog = { term: 0, vote: 0, lastIndex: 0 };
  for (const [name, bytes] of disk.device(directory)) {
    const parsed = parseSegmentName(name);
    if (parsed === null) continue;
    for (const { record } of scanSegment(name, bytes, parsed.sequence).records) {
      if (record.type === "entry") log.lastIndex = record.entry.index;
      else if (record.type === "truncate") log.lastIndex = record.from - 1;
      else if (record.type === "snapshot" && !record.keepSuffix) log.lastIndex = record.snapshot.index;
      else if (record.type === "hard_state") Object.assign(log, record.hardState);
    }
  }
  return log;
}

/** A vote and an acknowledgement are durable before they leave. */
export function checkPromise(message: Message, disk: SimDisk, directory: string): void {
  if (disk.isDamaged) return;
  const { type, from, to, term } = message;
  if (type === "vote_reply" && message.granted) {
    const log = durableLog(disk, directory);
    const isKept = log.term > term || (log.term === term && log.vote === to);
    check(
      isKept,
      () => `broken promise: node ${from} votes for ${to} in ${term}, its device says ${say(log)}`,
    );
  } else if ((type === "append_reply" || type === "snapshot_reply") && message.ok) {
    const log = durableLog(disk, directory);
    const isKept = log.term > term || log.lastIndex >= message.matchIndex;
    check(
      isKept,
      () => `broken promise: node ${from} acknowledges ${message.matchIndex}, its device says ${say(log)}`,
    );
  }
}

function say(log: DurableLog): string {
  return JSON.stringify(log);
}
