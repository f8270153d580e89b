import {
  array,
  assert as assertProperty,
  boolean,
  constantFrom,
  integer,
  option,
  property,
  tuple,
} from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkLinearizable,
  type Model,
  type Operation,
  type RegisterInput,
  registerModel,
  UNKNOWN,
  type VersionInput,
  versionModel,
  type VersionState,
} from "./linearizability.ts";
import { createPrng } from "./prng.ts";

type RegisterOperation = Operation<RegisterInput, string>;
type VersionOperation = Operation<VersionInput, VersionState>;

let client = 0;
const at = (calledAt: number, returnedAt: number, key = "k") => {
  client += 1;
  return { client: `c${client}`, key, calledAt, returnedAt };
};
const write = (value: string, from: number, to: number, key = "k"): RegisterOperation => ({
  ...at(from, to, key),
  input: { kind: "write", value },
  output: null,
});
const read = (value: string | null, from: number, to: number, key = "k"): RegisterOperation => ({
  ...at(from, to, key),
  input: { kind: "read" },
  output: value,
});
const append = (value: string, version: number, from: number, to: number): VersionOperation => ({
  ...at(from, to),
  input: { kind: "append", value },
  output: { version, value },
});
const latest = (version: number, value: string | null, from: number, to: number): VersionOperation => ({
  ...at(from, to),
  input: { kind: "read" },
  output: { version, value },
});
const never = Number.POSITIVE_INFINITY;

describe("R16 registers", () => {
  const cases: [string, boolean, RegisterOperation[]][] = [
    ["nothing happened", true, []],
    ["a read before the first write", true, [read(null, 1, 2), write("a", 3, 4)]],
    ["a read beside a write sees it or not", true, [write("a", 1, 9), read(null, 2, 3), read("a", 4, 5)]],
    ["a read goes back beside a write", false, [write("a", 1, 9), read("a", 2, 3), read(null, 4, 5)]],
    ["a stale read", false, [write("a", 1, 2), write("b", 3, 4), read("a", 5, 6)]],
    ["a lost write", false, [write("a", 1, 2), read(null, 3, 4)]],
    ["a value nobody wrote", false, [write("a", 1, 2), read("z", 3, 4)]],
    [
      "two clients see two writes in different orders",
      false,
      [
        write("a", 1, 9),
        write("b", 1, 9),
        read("a", 2, 3),
        read("b", 4, 5),
        read("b", 2, 3),
        read("a", 4, 5),
      ],
    ],
    ["an unknown write that happened", true, [write("a", 1, never), read("a", 5, 6)]],
    ["an unknown write that did not happen", true, [write("a", 1, never), read(null, 5, 6)]],
    ["an unknown write that happens late", true, [write("a", 1, never), read(null, 5, 6), read("a", 7, 8)]],
    [
      "an unknown write that happens twice",
      false,
      [write("a", 1, never), read("a", 2, 3), write("b", 4, 5), read("b", 6, 7), read("a", 8, 9)],
    ],
    ["an unknown write before it was called", false, [read("a", 1, 2), write("a", 3, never)]],
    ["an unknown read", true, [write("a", 1, 2), read("z", 3, never)]],
    ["touching operations are concurrent", true, [write("a", 1, 2), read(null, 2, 3)]],
  ];
  for (const [name, ok, history] of cases) {
    it(`${name}: ${ok ? "linearizable" : "not"}`, () => {
      expect(checkLinearizable(history, registerModel).ok).toBe(ok);
    });
  }

  it("names the key that fails and what no order explains", () => {
    const history = [
      write("a", 1, 2, "good"),
      read("a", 3, 4, "good"),
      write("b", 1, 2, "bad"),
      read("a", 3, 4, "bad"),
    ];
    const verdict = checkLinearizable(history, registerModel);
    expect(verdict).toMatchObject({ ok: false, reason: "violation", key: "bad" });
    expect(verdict.ok ? "" : verdict.explanation).toMatch(/no order explains c\d+ \{"kind":"read"\} -> "a"/);
  });
});

describe("R16 versions", () => {
  const cases: [string, boolean, VersionOperation[]][] = [
    ["appends in any order of concurrent ones", true, [append("a", 2, 1, 5), append("b", 1, 1, 5)]],
    ["a lost update", false, [append("a", 1, 1, 2), append("b", 1, 3, 4)]],
    ["an append applied twice", false, [append("a", 1, 1, 2), append("b", 3, 3, 4)]],
    ["reordered appends", false, [append("a", 2, 1, 2), append("b", 1, 3, 4)]],
    ["a gap an unknown append explains", true, [append("a", 9, 1, never), append("b", 2, 3, 4)]],
    [
      "an unknown append applied twice",
      false,
      [append("a", 9, 1, never), append("b", 2, 3, 4), append("c", 4, 5, 6)],
    ],
    ["an acknowledged append that a read misses", false, [append("a", 1, 1, 2), latest(0, null, 3, 4)]],
    ["a read of another value", false, [append("a", 1, 1, 2), append("b", 2, 3, 4), latest(2, "a", 5, 6)]],
  ];
  for (const [name, ok, history] of cases) {
    it(`${name}: ${ok ? "linearizable" : "not"}`, () => {
      expect(checkLinearizable(history, versionModel).ok).toBe(ok);
    });
  }
});

describe("R16 long histories", () => {
  /** What `clients` see that ask a correct register one thing after the other; every 20th answer is lost. */
  function longHistory(operations: number, clients: number): RegisterOperation[] {
    const prng = createPrng(7);
    const idleAt = Array.from({ length: clients }, () => 0);
    const moments = Array.from({ length: operations }, (_, i) => {
      const from = (idleAt[i % clients] ?? 0) + 1 + prng.below(50);
      const effect = from + prng.below(100);
      const to = effect + prng.below(100);
      idleAt[i % clients] = to;
      return { from, effect, to };
    }).toSorted((a, b) => a.effect - b.effect);
    let value: string | null = null;
    return moments.map(({ from, to }, i) => {
      if (!prng.chance(0.5)) return read(value, from, to);
      value = `v${i}`;
      return write(value, from, prng.chance(0.05) ? never : to);
    });
  }

  it("decides thousands of operations with hundreds of unknown outcomes", () => {
    expect(checkLinearizable(longHistory(5000, 8), registerModel)).toEqual({ ok: true });
  });

  it("finds one stale read among them", () => {
    const history = longHistory(5000, 6);
    const written = history.find(({ input, returnedAt }) => input.kind === "write" && returnedAt !== never);
    const stale = history.findLast(({ input }) => input.kind === "read");
    if (stale !== undefined && written?.input.kind === "write") stale.output = written.input.value;
    expect(checkLinearizable(history, registerModel)).toMatchObject({ ok: false, reason: "violation" });
  });

  it("says undecided at its limit, never ok", () => {
    const open = Array.from({ length: 12 }, (_, i) => write(`v${i}`, 0, 100));
    const verdict = checkLinearizable([...open, read("nobody wrote this", 1, 99)], registerModel, 1000);
    expect(verdict).toMatchObject({ ok: false, reason: "undecided", key: "k" });
  });

  it("a violation of one key counts more than an undecided other", () => {
    const open = Array.from({ length: 12 }, (_, i) => write(`v${i}`, 0, 100));
    const history = [...open, read("nobody wrote this", 1, 99), read("z", 1, 2, "other")];
    expect(checkLinearizable(history, registerModel, 1000)).toMatchObject({
      reason: "violation",
      key: "other",
    });
  });
});

/** Tries every order of every choice of unknown operations. */
function bruteForce<S, I, O>(history: readonly Operation<I, O>[], model: Model<S, I, O>): boolean {
  const search = (left: readonly Operation<I, O>[], state: S): boolean => {
    const obliged = left.filter(({ returnedAt }) => returnedAt !== never);
    if (obliged.length === 0) return true;
    const firstReturn = Math.min(...obliged.map(({ returnedAt }) => returnedAt));
    return left.some((operation) => {
      if (operation.calledAt > firstReturn) return false;
      const output = operation.returnedAt === never ? UNKNOWN : operation.output;
      const next = model.step(state, operation.input, output);
      return (
        next !== undefined &&
        search(
          left.filter((other) => other !== operation),
          next,
        )
      );
    });
  };
  return search(history, model.initial);
}

describe("R16 agrees with trying every order", () => {
  const span = tuple(integer({ min: 0, max: 12 }), integer({ min: 0, max: 6 }), boolean());
  const toTimes = ([from, length, isKnown]: [number, number, boolean]): [number, number] => [
    from,
    isKnown || length > 3 ? from + length : never,
  ];

  it("for registers", () => {
    const value = constantFrom("a", "b", "c");
    const operation = tuple(span, boolean(), value, option(value)).map(([times, isWrite, written, seen]) =>
      isWrite ? write(written, ...toTimes(times)) : read(seen, ...toTimes(times)),
    );
    const seen = { yes: 0, no: 0 };
    assertProperty(
      property(array(operation, { maxLength: 7 }), (history) => {
        const expected = bruteForce(history, registerModel);
        seen[expected ? "yes" : "no"] += 1;
        expect(checkLinearizable(history, registerModel).ok).toBe(expected);
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(100);
  });

  it("for versions", () => {
    const operation = tuple(span, boolean(), constantFrom("a", "b"), integer({ min: 0, max: 4 })).map(
      ([times, isAppend, value, version]) =>
        isAppend
          ? append(value, version, ...toTimes(times))
          : latest(version, version === 0 ? null : value, ...toTimes(times)),
    );
    const seen = { yes: 0, no: 0 };
    assertProperty(
      property(array(operation, { maxLength: 6 }), (history) => {
        const expected = bruteForce(history, versionModel);
        seen[expected ? "yes" : "no"] += 1;
        expect(checkLinearizable(history, versionModel).ok).toBe(expected);
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(100);
  });
});
