/** How the steps of single configs are drawn. */
import * as fc from "fast-check";
import type { BatchStepItem, Match, Operation, Slot, Step, StepRule } from "./model-steps.ts";
import { CONDITIONS, CONTENTS, FLAWS, FORMATS, STRATEGIES, WRONG_REQUESTS } from "./model-values.ts";

/** Those that are there from the first on more often: of the third, most steps are of a config that is not there. */
export const slot = fc.constantFrom<Slot[]>(
  "a.json",
  "a.json",
  "a.json",
  "b.json",
  "b.json",
  "c.json",
  "d.json",
);
const version = fc.constantFrom(1, 1, 1, 1, 1, 1, 2, 2, 3);
/** Mostly such as every config takes. */
const content = fc.constantFrom("one", "two", "three", "one", "two", "three", ...Object.keys(CONTENTS));
const often = { arbitrary: fc.constant<Match>("none"), weight: 8 };
const match = fc.oneof(
  often,
  { arbitrary: fc.constantFrom<Match>("current", "stale"), weight: 3 },
  { arbitrary: fc.constantFrom<Match>("star", "other"), weight: 1 },
);
export const key = fc.option(fc.integer({ min: 1, max: 2 }), { freq: 3 });
const common = { slot, match, key };
export const abort = fc.boolean();
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
const rule = <V>(versions: fc.Arbitrary<V>): fc.Arbitrary<StepRule<V>> =>
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
export const rules = <V>(versions: fc.Arbitrary<V>): fc.Arbitrary<StepRule<V>[]> =>
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
function plain<V>(toVersion: V, priority: number): StepRule<V> {
  return { labels: {}, version: toVersion, priority, when: [], percentage: null, regions: null, flaw: null };
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

const of = <K extends Step["do"]>(kind: K) => fc.constant(kind);
const versionStep = fc.record({
  do: of("version"),
  ...common,
  content,
  format: fc.option(fc.constantFrom(...FORMATS), { freq: 3 }),
  schema: fc.option(fc.constantFrom("int", "loose"), { freq: 3 }),
});
const rulesStep = fc.record({ do: of("rules"), ...common, rules: rules(version), abort });
const rollbackStep = fc.record({ do: of("rollback"), ...common, version, abort });
const deleteStep = fc.record({ do: of("delete"), ...common });
const publishStep = fc.record({
  do: of("publish"),
  ...common,
  what: fc.oneof<fc.Arbitrary<string | number>[]>(content, version),
  strategy: fc.constantFrom("canary", "shares", "regions", "mixed", ...Object.keys(STRATEGIES)),
  abort,
  isDry: fc.constantFrom(false, false, false, true),
});
const moveStep = fc.record({
  do: of("move"),
  ...common,
  move: fc.constantFrom("advance", "advance", "advance", "pause", "resume", "abort"),
  which: fc.constantFrom("newest", "running", "running", "running", "oldest"),
});
const batchStep = fc.record({ do: of("batch"), ...common, items, abort });

/** What a change request of one config, or a batch, may ask for. */
export const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: versionStep },
  { weight: 4, arbitrary: rulesStep },
  { weight: 2, arbitrary: rollbackStep },
  { weight: 1, arbitrary: deleteStep },
  { weight: 4, arbitrary: publishStep },
  { weight: 3, arbitrary: batchStep },
);

/** Steps of single configs and batches. */
export const directStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: of("create"),
      ...common,
      content,
      format: fc.constantFrom("json", "json", "json", ...FORMATS),
      hasSchema: fc.boolean(),
      isEncrypted: fc.constantFrom(false, false, false, true),
      retention: fc.option(fc.integer({ min: 100, max: 101 })),
      release: fc.oneof(fc.constantFrom("no", "default", "default"), rules(fc.constantFrom(1, 1, 1, 2))),
    }),
  },
  { weight: 5, arbitrary: versionStep },
  { weight: 5, arbitrary: rulesStep },
  { weight: 2, arbitrary: rollbackStep },
  { weight: 1, arbitrary: deleteStep },
  {
    weight: 1,
    arbitrary: fc.record({
      do: of("retention"),
      ...common,
      count: fc.option(fc.integer({ min: 100, max: 103 })),
    }),
  },
  { weight: 9, arbitrary: publishStep },
  { weight: 3, arbitrary: moveStep },
  { weight: 6, arbitrary: batchStep },
  {
    weight: 1,
    arbitrary: fc.record({ do: of("wrong"), ...common, request: fc.nat(WRONG_REQUESTS.length - 1) }),
  },
);

/** A plan and some moves, which mostly are its own. */
export const rollout: fc.Arbitrary<Step[]> = fc
  .tuple(publishStep, fc.array(moveStep, { minLength: 1, maxLength: 3 }))
  .map(([plan, moves]) => [{ ...plan, match: "none", isDry: false }, ...moves]);
