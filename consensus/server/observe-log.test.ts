import { describe, expect, it } from "vitest";
import type { LogLine } from "./core-context.ts";
import { observeLog } from "./observe-log.ts";

function observed() {
  const lines: LogLine[] = [];
  return { lines, observer: observeLog((line) => void lines.push(line)) };
}

describe("what a node tells of its replicated log", () => {
  it("R3 a torn end that was cut off, and nothing when there was none", () => {
    const { lines, observer } = observed();
    observer.onRecovered?.({ segments: 1, entries: 4, repaired: null });
    expect(lines).toEqual([]);
    const repaired = { file: "/data/wal/1.wal", offset: 4_096, bytesDropped: 512 };
    observer.onRecovered?.({ segments: 1, entries: 4, repaired });
    expect(lines).toEqual([
      {
        level: "warn",
        msg: "the write-ahead log ended in a write that was never acknowledged: it was cut off",
        file: "/data/wal/1.wal",
        offset: 4_096,
        bytes_dropped: 512,
      },
    ]);
  });

  it("R1 who leads, and that nobody does", () => {
    const { lines, observer } = observed();
    observer.onLeadership?.({ term: 8, leaderId: 2, isLeader: false });
    observer.onLeadership?.({ term: 9, leaderId: null, isLeader: false });
    expect(lines).toEqual([
      { level: "info", msg: "node 2 leads term 8", term: 8, leader_id: 2 },
      { level: "info", msg: "no leader is known in term 9", term: 9, leader_id: null },
    ]);
  });
});
