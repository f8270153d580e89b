/** One step of a sequence, by names and numbers alone: a sequence means the same wherever and however often it is run. */
import * as fc from "fast-check";
import {
  CONDITIONS,
  CONTENTS,
  FLAWS,
  FORMATS,
  LABEL_VALUES,
  type ModelFormat,
  type SchemaName,
  STRATEGIES,
  WRONG_REQUESTS,
} from "./model-values.ts";

export const SLOTS = ["a.json", "b.json", "c.json"] as const;
export type Slot = (typeof SLOTS)[number];
/** What `If-Match` says; `other` is an ETag that is none of ours. */
export type Match = "none" | "current" | "stale" | "star" | "other";

export interface StepRule {
  labels: Record<string, string>;
  version: number | "new";
  priority: number;
  /** Positions in CONDITIONS. */
  when: number[];
  percentage: { by: string; percent: number; salt?: string } | null;
  /** Positions in the world's list. */
  regions: number[] | null;
  /** Position in FLAWS; null for a rule that is in order. */
  flaw: number | null;
}
interface Common {
  slot: Slot;
  match: Match;
  /** Of `X-Idempotency-Key`; null: none. */
  key: number | null;
}
export interface BatchStepItem {
  slot: Slot;
  content: string | null;
  to: number | "new" | StepRule[];
  match: "none" | "current" | "stale";
}
export type Step = Common &
  (
    | {
        do: "create";
        content: string;
        format: ModelFormat;
        hasSchema: boolean;
        retention: number | null;
        release: "no" | "default" | StepRule[];
      }
    | { do: "version"; content: string; format: ModelFormat | null; schema: SchemaName | null }
    | { do: "rules"; rules: StepRule[]; abort: boolean }
    | { do: "rollback"; version: number; abort: boolean }
    | { do: "delete" }
    | { do: "retention"; count: number | null }
    | { do: "publish"; what: string | number; strategy: string; abort: boolean; isDry: boolean }
    | { do: "move"; move: Move; which: "newest" | "oldest" | "running" }
    | { do: "batch"; items: BatchStepItem[]; abort: boolean }
    | { do: "wrong"; request: number }
  );
export type Move = "advance" | "pause" | "resume" | "abort";
/** A client, by labels, and where it is: a position in the world's list of regions. */
export interface ModelClient {
  labels: Record<string, string>;
  region: number;
}
export interface Turn {
  step: Step;
  /** Who asks the edge after it, in each of the regions. */
  clients: Record<string, string>[];
}

/** Those that are there from the first on more often: of the third, most steps are of a config that is not there. */
const slot = fc.constantFrom<Slot[]>("a.json", "a.json", "a.json", "b.json", "b.json", "c.json");
const version = fc.constantFrom(1, 1, 1, 1, 1, 1, 2, 2, 3);
/** Mostly such as every config takes. */
const content = fc.constantFrom("one", "two", "three", "one", "two", "three", ...Object.keys(CONTENTS));
const often = { arbitrary: fc.constant<Match>("none"), weight: 8 };
const match = fc.oneof(
  often,
  { arbitrary: fc.constantFrom<Match>("current", "stale"), weight: 3 },
  { arbitrary: fc.constantFrom<Match>("star", "other"), weight: 1 },
);
const key = fc.option(fc.integer({ min: 1, max: 2 }), { freq: 3 });
const common = { slot, match, key };
const abort = fc.boolean();
const percentage = fc.record(
  {
    by: fc.constantFrom("user", "User"),
    percent: fc.constantFrom(0, 12.5, 50, 99.99, 100),
    salt: fc.constantFrom("s", "t"),
  },
  { requiredKeys: ["by", "percent"] },
);
/** Names as they are compared; half of them written otherwise. */
const labels = fc.dictionary(
  fc.constantFrom("tier", "Tier", "app"),
  fc.constantFrom("gold", "silver", "2.0.0"),
  {
    maxKeys: 1,
  },
);
const rule = (versions: fc.Arbitrary<number | "new">): fc.Arbitrary<StepRule> =>
  fc.record({
    labels,
    version: versions,
    priority: fc.constantFrom(0, 0, 1, -1),
    when: fc.uniqueArray(fc.nat(CONDITIONS.length - 1), { maxLength: 2 }),
    percentage: fc.option(percentage, { freq: 2 }),
    regions: fc.option(fc.constantFrom([0], [1], [0, 1]), { freq: 2 }),
    flaw: fc.oneof(
      { arbitrary: fc.constant(null), weight: 40 },
      { arbitrary: fc.nat(FLAWS.length - 1), weight: 1 },
    ),
  });
/** With a default rule more often than not, as people write them, and at times with two. */
const rules = (versions: fc.Arbitrary<number | "new">): fc.Arbitrary<StepRule[]> =>
  fc
    .tuple(
      fc.array(rule(versions), { maxLength: 4 }),
      fc.option(versions, { freq: 3 }),
      fc.option(versions, { freq: 1 }),
      fc.constantFrom(1, -1),
    )
    .map(([list, fallback, other, priority]) => [
      ...list,
      ...(other === null ? [] : [plain(other, priority)]),
      ...(fallback === null ? [] : [plain(fallback, 0)]),
    ]);
function plain(of: number | "new", priority: number): StepRule {
  return { labels: {}, version: of, priority, when: [], percentage: null, regions: null, flaw: null };
}
const orNew = fc.oneof<fc.Arbitrary<number | "new">[]>(version, fc.constant("new"));
const itemMatch = fc.constantFrom<BatchStepItem["match"][]>(
  "none",
  "none",
  "none",
  "none",
  "current",
  "stale",
);
const item: fc.Arbitrary<BatchStepItem> = fc.oneof(
  fc.record({ slot, content, to: fc.constant("new" as const), match: itemMatch }),
  fc.record({ slot, content: fc.constant(null), to: version, match: itemMatch }),
  fc.record({
    slot,
    content: fc.option(content, { freq: 2 }),
    to: fc.oneof<fc.Arbitrary<number | "new" | StepRule[]>[]>(orNew, rules(orNew)),
    match: itemMatch,
  }),
);
/** Of different configs, and now and then of one twice. */
const items = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.uniqueArray(item, { minLength: 1, maxLength: 3, selector: (one) => one.slot }),
  },
  { weight: 1, arbitrary: fc.array(item, { minLength: 2, maxLength: 3 }) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("create"),
      ...common,
      content,
      format: fc.constantFrom("json", "json", "json", ...FORMATS),
      hasSchema: fc.boolean(),
      retention: fc.option(fc.integer({ min: 100, max: 101 })),
      release: fc.oneof(fc.constantFrom("no", "default", "default"), rules(fc.constantFrom(1, 1, 1, 2))),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("version"),
      ...common,
      content,
      format: fc.option(fc.constantFrom(...FORMATS), { freq: 3 }),
      schema: fc.option(fc.constantFrom("int", "loose"), { freq: 3 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("rules"), ...common, rules: rules(version), abort }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("rollback"), ...common, version, abort }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete"), ...common }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("retention"),
      ...common,
      count: fc.option(fc.integer({ min: 100, max: 103 })),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant("publish"),
      ...common,
      what: fc.oneof<fc.Arbitrary<string | number>[]>(content, version),
      strategy: fc.constantFrom("canary", "shares", "regions", "mixed", ...Object.keys(STRATEGIES)),
      abort,
      isDry: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant("move"),
      ...common,
      move: fc.constantFrom("advance", "advance", "advance", "pause", "resume", "abort"),
      which: fc.constantFrom("newest", "running", "running", "running", "oldest"),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("batch"),
      ...common,
      items,
      abort,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("wrong"), ...common, request: fc.nat(WRONG_REQUESTS.length - 1) }),
  },
);

const clientLabels = fc.record(
  Object.fromEntries(Object.entries(LABEL_VALUES).map(([name, of]) => [name, fc.constantFrom(...of)])),
  { requiredKeys: [] },
) as fc.Arbitrary<Record<string, string>>;

/** Two configs that everyone gets: without any, most steps would be of a config that is not there. */
const FIRST: readonly Turn[] = SLOTS.slice(0, 2).map((first) => ({
  step: {
    do: "create",
    slot: first,
    match: "none",
    key: null,
    content: "one",
    format: "json",
    hasSchema: first === "b.json",
    retention: null,
    release: "default",
  },
  clients: [{}],
}));

/** Sequences of up to so many steps, after those that make the first configs. */
export function turns(stepsMax: number): fc.Arbitrary<Turn[]> {
  const turn = fc.record({ step, clients: fc.array(clientLabels, { minLength: 1, maxLength: 2 }) });
  // Without bias, which is for what is drawn again and again: it makes the first ones short.
  return fc
    .noBias(fc.array(turn, { minLength: 1, maxLength: stepsMax, size: "max" }))
    .map((sequence) => [...FIRST, ...sequence]);
}
