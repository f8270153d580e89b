import { describe, expect, it } from "vitest";
import {
  boundWallMs,
  CLOCK_AGE_MAX_MS,
  CLOCK_NEAR_MS,
  CLOCK_OFF_LOOKS,
  CLOCK_OFF_MAX_MS,
  CLOCK_TRANSFER_PAUSE_MS,
  CLOCK_UNCERTAIN_MAX_MS,
  CLOCK_WATCH_START,
  type ClockWatch,
  judgeLeaderClock,
  medianClock,
  type PeerClock,
} from "./judge-leader-clock.ts";

const HOUR = 3_600_000;
const clock = (nodeId: number, offsetMs: number, changes: Partial<PeerClock> = {}): PeerClock => ({
  nodeId,
  offsetMs,
  uncertaintyMs: 5,
  ageMs: 500,
  ...changes,
});
const voters = (...ids: number[]) => ids.map((nodeId) => ({ nodeId, ready: true }));
/** Of node 1, when it leads and looks `looks` times, a second apart. */
function judge(
  clocks: PeerClock[],
  options: { members?: { nodeId: number; ready: boolean }[]; looks?: number } = {},
): (number | null)[] {
  let watch: ClockWatch = CLOCK_WATCH_START;
  const members = options.members ?? voters(1, ...clocks.map(({ nodeId }) => nodeId));
  return Array.from({ length: options.looks ?? CLOCK_OFF_LOOKS }, (_, i) => {
    const judged = judgeLeaderClock(watch, { self: 1, voters: members, clocks, nowMs: i * 1000 });
    watch = judged.watch;
    return judged.transferTo;
  });
}
const stays = Array.from({ length: CLOCK_OFF_LOOKS }, () => null);
const handsOverTo = (nodeId: number): (number | null)[] => [...stays.slice(1), nodeId];

describe("R9 a leader hands over when its clock is far from the median", () => {
  it.each<[string, PeerClock[], (number | null)[]]>([
    ["all agree", [clock(2, 3), clock(3, -4)], stays],
    ["the leader is an hour ahead", [clock(2, -HOUR), clock(3, -HOUR + 100)], handsOverTo(3)],
    ["the leader is an hour behind", [clock(2, HOUR), clock(3, HOUR + 100)], handsOverTo(2)],
    ["a follower is an hour ahead", [clock(2, HOUR), clock(3, 10)], stays],
    ["just within", [clock(2, CLOCK_OFF_MAX_MS), clock(3, CLOCK_OFF_MAX_MS)], stays],
    ["just without", [clock(2, CLOCK_OFF_MAX_MS + 1), clock(3, CLOCK_OFF_MAX_MS + 1)], handsOverTo(2)],
    ["a cluster of two: nobody can say who is wrong", [clock(2, HOUR)], stays],
    ["scattered, the leader in the middle", [clock(2, HOUR), clock(3, -HOUR)], stays],
    [
      "scattered, the leader at the edge: to the middle",
      [clock(2, HOUR), clock(3, 2 * HOUR)],
      handsOverTo(2),
    ],
    ["four, two and two: nobody can say", [clock(2, 0), clock(3, HOUR), clock(4, HOUR)], stays],
    [
      "five, two of them wrong",
      [clock(2, -HOUR), clock(3, -HOUR), clock(4, -HOUR), clock(5, 7 * HOUR)],
      handsOverTo(2),
    ],
  ])("%s", (_name, clocks, expected) => {
    expect(judge(clocks)).toEqual(expected);
  });

  it.each<[string, PeerClock[], { nodeId: number; ready: boolean }[]]>([
    [
      "a clock known too vaguely",
      [clock(2, HOUR), clock(3, HOUR, { uncertaintyMs: CLOCK_UNCERTAIN_MAX_MS + 1 })],
      voters(1, 2, 3),
    ],
    [
      "a clock read too long ago",
      [clock(2, HOUR), clock(3, HOUR, { ageMs: CLOCK_AGE_MAX_MS + 1 })],
      voters(1, 2, 3),
    ],
    ["clocks of no voters", [clock(2, HOUR), clock(8, HOUR), clock(9, HOUR)], voters(1, 2, 3)],
    ["fewer than a majority known", [clock(2, HOUR), clock(3, HOUR)], voters(1, 2, 3, 4, 5, 6)],
    ["a leader that is no voter itself", [clock(2, HOUR), clock(3, HOUR)], voters(2, 3)],
    [
      "nobody near the median that is caught up",
      [clock(2, HOUR), clock(3, HOUR)],
      [...voters(1), ...voters(2, 3).map((v) => ({ ...v, ready: false }))],
    ],
    [
      "nobody near the median but one that lags",
      [
        clock(2, HOUR),
        clock(3, HOUR + 2 * CLOCK_NEAR_MS + 2),
        clock(4, HOUR + 2 * CLOCK_NEAR_MS + 2),
        clock(5, HOUR - 2 * CLOCK_NEAR_MS),
      ],
      [...voters(1, 3, 4, 5), { nodeId: 2, ready: false }],
    ],
  ])("does nothing with %s", (_name, clocks, members) => {
    expect(judge(clocks, { members })).toEqual(stays);
  });

  it("a good look in between begins the count anew", () => {
    const bad = [clock(2, HOUR), clock(3, HOUR)];
    const good = [clock(2, 0), clock(3, 0)];
    let watch: ClockWatch = CLOCK_WATCH_START;
    const looks = [bad, bad, good, bad, bad, bad].map((clocks, i) => {
      const judged = judgeLeaderClock(watch, { self: 1, voters: voters(1, 2, 3), clocks, nowMs: i });
      watch = judged.watch;
      return judged.transferTo;
    });
    expect(looks).toEqual([null, null, null, null, null, 2]);
  });

  it("asks again only after a long pause", () => {
    const looks = judge([clock(2, HOUR), clock(3, HOUR)], { looks: 2 + CLOCK_TRANSFER_PAUSE_MS / 1000 + 2 });
    const asked = looks.flatMap((to, i) => (to === null ? [] : [i]));
    expect(asked).toEqual([CLOCK_OFF_LOOKS - 1, CLOCK_OFF_LOOKS - 1 + CLOCK_TRANSFER_PAUSE_MS / 1000]);
  });

  it("does not flap: whichever clocks, whoever leads, leadership comes to rest after one hand-over", () => {
    const walls = [0, 9 * HOUR, -3 * HOUR, 40_000, 2 * HOUR];
    for (const size of [2, 3, 4, 5]) {
      for (let first = 0; first < size; first += 1) {
        let leader = first;
        let handOvers = 0;
        let watches = walls.map(() => CLOCK_WATCH_START);
        for (let second = 0; second < 300; second += 1) {
          const clocks = walls
            .slice(0, size)
            .flatMap((wall, i) => (i === leader ? [] : [clock(i, wall - walls[leader]!)]));
          const members = walls.slice(0, size).map((_, nodeId) => ({ nodeId, ready: true }));
          const judged = judgeLeaderClock(watches[leader]!, {
            self: leader,
            voters: members,
            clocks,
            nowMs: second * 1000,
          });
          watches = watches.with(leader, judged.watch);
          if (judged.transferTo === null) continue;
          leader = judged.transferTo;
          handOvers += 1;
        }
        expect(handOvers, `${size} nodes, first ${first}`).toBeLessThanOrEqual(1);
      }
    }
  });
});

describe("R9 stamps stay near the median", () => {
  it.each([
    ["nothing is known", null, 1_000_000],
    ["our clock is near", { lowMs: -3, highMs: 3 }, 1_000_000],
    ["we are ahead", { lowMs: -100_000, highMs: -90_000 }, 910_000 + CLOCK_OFF_MAX_MS],
    ["we are behind", { lowMs: 90_000, highMs: 100_000 }, 1_090_000 - CLOCK_OFF_MAX_MS],
  ])("%s", (_name, median, expected) => {
    expect(boundWallMs(1_000_000, median)).toBe(expected);
  });

  it("the median of an even number is the span of the middle two", () => {
    expect(medianClock(1, [1, 2], [clock(2, 50)])).toEqual({ lowMs: 0, highMs: 50 });
    expect(medianClock(1, [1, 2, 3, 4], [clock(2, -7), clock(3, 9), clock(4, 20)])).toEqual({
      lowMs: 0,
      highMs: 9,
    });
    expect(medianClock(1, [1, 2, 3], [clock(2, 4), clock(3, 6)])).toEqual({ lowMs: 4, highMs: 4 });
    expect(medianClock(1, [1], [])).toEqual({ lowMs: 0, highMs: 0 });
    expect(medianClock(1, [1, 2, 3], [])).toBeNull();
  });
});
