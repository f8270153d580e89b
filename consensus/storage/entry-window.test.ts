import { array, assert as assertProperty, constantFrom, integer, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entry, EntryKind } from "../raft/types.ts";
import { EntryWindow } from "./entry-window.ts";

const membership = { voters: [1], outgoing: [], learners: [] };
const all = (window: EntryWindow): Entry[] =>
  window.entries(window.firstIndex(), window.lastIndex() + 1, Infinity);
/** With its data as a text: matchers take long over large arrays. */
const shown = ({ data, ...rest }: Entry) => ({ ...rest, data: Buffer.from(data).toString("latin1") });
const entry = (index: number, bytes = 10, kind: EntryKind = "command"): Entry => ({
  index,
  term: index % 3,
  kind,
  data: new Uint8Array(bytes).fill(index),
});

describe("R3 the window of entries in memory", () => {
  it("R3 answers what was put in, whatever was cut from either end between", () => {
    const step = record({
      act: constantFrom("append", "append", "append", "truncate", "compact"),
      share: integer({ min: 0, max: 100 }),
      bytes: constantFrom(0, 1, 1000, 150 * 1024, 300 * 1024),
      kind: constantFrom<EntryKind>("command", "noop", "membership"),
    });
    assertProperty(
      property(array(step, { maxLength: 30 }), (steps) => {
        const window = new EntryWindow();
        let model: Entry[] = [];
        let base = 0;
        for (const { act, share, bytes, kind } of steps) {
          const at = base + Math.floor((share / 100) * model.length);
          if (act === "append") {
            const next = entry(base + model.length + 1, bytes, kind);
            window.append(next);
            model.push(next);
          } else if (act === "truncate") {
            window.truncate(at + 1);
            model = model.slice(0, at - base);
          } else {
            window.compact({ index: at, term: 7, membership });
            model = model.slice(at - base);
            base = at;
          }
          expect(all(window).map(shown)).toEqual(model.map(shown));
          expect([window.firstIndex(), window.lastIndex()]).toEqual([base + 1, base + model.length]);
        }
        const overhead = 128 * model.length;
        expect(window.bytes()).toBe(model.reduce((sum, { data }) => sum + data.byteLength, overhead));
      }),
      { numRuns: 60 },
    );
  });

  it("R3 keeps no hold of the bytes it was given", () => {
    const window = new EntryWindow();
    const given = entry(1);
    window.append(given);
    given.data.fill(99);
    expect(all(window)).toEqual([entry(1)]);
  });

  it("R3 has nothing outside of itself, and cuts by bytes but never to none", () => {
    const window = new EntryWindow();
    window.reset(5, 2);
    for (let index = 6; index <= 9; index += 1) window.append(entry(index));
    expect(window.term(5)).toBe(2);
    expect(window.term(4)).toBeUndefined();
    expect(window.term(10)).toBeUndefined();
    expect(window.entries(5, 8, Infinity)).toEqual([]);
    expect(window.entries(10, 12, Infinity)).toEqual([]);
    expect(window.entries(6, 99, 1).map(({ index }) => index)).toEqual([6]);
    expect(window.entries(7, 9, 25).map(({ index }) => index)).toEqual([7, 8]);
    expect(window.indexBefore(2 * 138)).toBe(7);
    expect(() => window.append(entry(11))).toThrow(RangeError);
  });
});
