import { describe, expect, it } from "vitest";
import type { RawNode } from "./raft/types.ts";
import { resolveOptions } from "./raft-log-options.ts";
import { Urgent } from "./raft-log-urgent.ts";
import { createMemoryNetwork } from "./transport/memory-network.ts";

/** Turns and timers that the test runs by hand, over a core of which only the commit index is looked at. */
function start() {
  const turns: (() => void)[] = [];
  const timers = new Set<{ everyMs: number; act: () => void }>();
  const core = { untold: false, told: 0 };
  const seen = { released: 0, guarded: 0 };
  const node = {
    commitIsUntold: () => core.untold,
    tellCommit: () => {
      core.told += 1;
    },
  } as unknown as RawNode;
  const options = resolveOptions({
    nodeId: 1,
    directory: "/nowhere",
    members: [1],
    stateMachine: { lastApplied: () => 0, apply: () => [], close: () => undefined },
    transport: createMemoryNetwork().transport(1),
    onFatal: () => undefined,
    clock: {
      nowMs: () => 0,
      every: (everyMs, act) => {
        const timer = { everyMs, act };
        timers.add(timer);
        return () => timers.delete(timer);
      },
    },
    limits: { commitNoticeMs: 7 },
    host: { nextTurn: (act) => void turns.push(act) },
  });
  const urgent = new Urgent(node, options, {
    guard: (act) => {
      seen.guarded += 1;
      act();
    },
    release: () => {
      seen.released += 1;
    },
  });
  return {
    urgent,
    core,
    seen,
    timers,
    turn: () => turns.splice(0).forEach((act) => act()),
    fire: () => [...timers].forEach(({ act }) => act()),
  };
}

describe("R6 what goes out of turn", () => {
  it("is released once for all that asked in one turn, in a later one, and again when asked again", () => {
    const { urgent, seen, turn } = start();
    urgent.soon();
    urgent.soon();
    expect(seen.released).toBe(0);
    turn();
    expect(seen.released).toBe(1);
    turn();
    urgent.soon();
    turn();
    expect(seen.released).toBe(2);
  });

  it("is not released once the log has ended", () => {
    const { urgent, seen, turn } = start();
    urgent.soon();
    urgent.close();
    turn();
    expect(seen.released).toBe(0);
  });
});

describe("R2 a commit index that waits for entries to travel with", () => {
  it("is told after its time by a message, once, through the guard", () => {
    const { urgent, core, seen, timers, fire } = start();
    urgent.noticeCommit();
    expect(timers.size).toBe(0);
    core.untold = true;
    urgent.noticeCommit();
    urgent.noticeCommit();
    expect([...timers].map(({ everyMs }) => everyMs)).toEqual([7]);
    expect(core.told).toBe(0);
    fire();
    expect([core.told, seen.guarded, timers.size]).toEqual([1, 1, 0]);
    urgent.noticeCommit();
    expect(timers.size).toBe(1);
  });

  it("that entries took along is not told again, and the next one has its own time to wait", () => {
    const { urgent, core, timers, fire } = start();
    core.untold = true;
    urgent.noticeCommit();
    const [first] = timers;
    core.untold = false;
    urgent.noticeCommit();
    expect(timers.size).toBe(0);
    core.untold = true;
    urgent.noticeCommit();
    expect(timers.size).toBe(1);
    expect(timers.has(first!)).toBe(false);
    fire();
    expect([core.told, timers.size]).toEqual([1, 0]);
  });

  it("is not told by a log that has ended", () => {
    const { urgent, core, timers } = start();
    core.untold = true;
    urgent.noticeCommit();
    urgent.close();
    expect([timers.size, core.told]).toEqual([0, 0]);
  });
});
