/** Bundles, change requests, and whole sequences as they are drawn. */
import * as fc from "fast-check";
import { abort, directStep, key, operation, rollout, rules, slot } from "./model-draw.ts";
import {
  type BundleEntry,
  type BundleRule,
  CHANGE_KINDS,
  type Operation,
  type Settle,
  type Slot,
  SLOTS,
  type Step,
  type StepOf,
  type Turn,
  type Which,
} from "./model-steps.ts";
import { FORMATS, LABEL_VALUES } from "./model-values.ts";

/** What a step says that has no config of its own. */
const none = { slot: fc.constant<Slot>("a.json"), match: fc.constant("none" as const) };
const some = fc.constantFrom("one", "two", "three");
/** `before` and `older` are the entry's `versions`, as far as it has some. */
const named = fc.constantFrom<(string | number)[]>(
  "bundle",
  "bundle",
  "bundle",
  "bundle",
  "before",
  "before",
  "older",
  1,
  2,
);
const entry: fc.Arbitrary<BundleEntry> = fc
  .record({
    slot,
    content: fc.oneof({ weight: 12, arbitrary: some }, { weight: 1, arbitrary: fc.constant("word") }),
    format: fc.constantFrom("json", "json", "json", "json", "json", ...FORMATS),
    hasSchema: fc.constantFrom(false, false, false, true),
    retention: fc.option(fc.constant(100), { freq: 1 }),
    versions: fc.uniqueArray(some, { maxLength: 2 }),
    rules: fc.option(
      fc.oneof(
        { weight: 1, arbitrary: fc.constant<BundleRule[]>([]) },
        { weight: 2, arbitrary: rules<string | number>(fc.constant("bundle")) },
        { weight: 2, arbitrary: rules(named) },
      ),
      { freq: 3 },
    ),
    // A content that no rule names has the whole bundle refused.
    isTidy: fc.constantFrom(...Array.from({ length: 15 }, () => true), false),
  })
  .map(({ isTidy, ...drawn }) => {
    const others = drawn.versions.filter((name) => name !== drawn.content);
    const before = others[0] ?? "bundle";
    const names: Record<string, string> = { before, older: others[1] ?? before };
    const list = drawn.rules?.map((rule) => ({ ...rule, version: names[rule.version] ?? rule.version }));
    const versions = others.filter((name) => !isTidy || list?.some(({ version }) => version === name));
    return { ...drawn, versions, rules: list ?? null };
  });
const mostly = fc.constantFrom(true, true, false);
const apply: fc.Arbitrary<StepOf<"apply">> = fc.record({
  do: fc.constant("apply" as const),
  ...none,
  key,
  bundle: fc.constantFrom("team", "team", "other"),
  entries: fc.uniqueArray(entry, { maxLength: 3, selector: (one) => one.slot }),
  prune: fc.boolean(),
  adopt: mostly,
  force: mostly,
  abort,
  isDry: fc.constantFrom(false, false, true),
  asPlanned: fc.constantFrom(false, false, false, true),
});

const person = fc.nat(2);
const which = fc.constantFrom<Which[]>("open", "open", "open", "open", "newest", "oldest");
/** Mostly of the config whose changes need approval. */
const asked: fc.Arbitrary<Operation> = fc
  .tuple(fc.oneof({ weight: 4, arbitrary: operation }, { weight: 1, arbitrary: apply }), mostly)
  .map(([of, isGuarded]): Operation => {
    const step = isGuarded ? { ...of, slot: "d.json" as const } : of;
    if (step.do === "apply") return { ...step, isDry: false, asPlanned: false };
    // A request for a plan has no word for the plan that runs.
    return step.do === "publish" ? { ...step, isDry: false, abort: false } : step;
  });
const ask = fc.record({
  do: fc.constant("ask" as const),
  ...none,
  key: fc.constant(null),
  by: person,
  of: asked,
});
const settle = (
  how: Pick<StepOf<"settle">, "by" | "which" | "settle" | "digest">,
  of: StepOf<"settle">["key"] = null,
): Step => ({ do: "settle", slot: "a.json", match: "none", key: of, ...how });
const changeStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: ask },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("edit"),
      ...none,
      key: fc.constant(null),
      by: person,
      which,
      of: asked,
    }),
  },
  {
    weight: 8,
    arbitrary: fc
      .record({
        key,
        by: person,
        which,
        settle: fc.constantFrom<Settle[]>("approve", "approve", "execute", "execute", "reject", "withdraw"),
        digest: fc.constantFrom("current", "current", "current", "current", "old", "other"),
      })
      .map(({ key: of, ...how }) => settle(how, of)),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("policy"),
      ...none,
      key: fc.constant(null),
      required: fc.constantFrom(0, 1, 1, 2),
      appliesTo: fc.option(fc.subarray([...CHANGE_KINDS], { minLength: 1 })),
    }),
  },
);
const step = fc.oneof(
  { weight: 12, arbitrary: directStep },
  { weight: 3, arbitrary: apply },
  { weight: 3, arbitrary: changeStep },
);
/** A plan that a request began goes on without another. */
const advance = ({ do: what, slot: of }: Operation): Step[] =>
  what === "publish"
    ? [{ do: "move", slot: of, match: "none", key: null, move: "advance", which: "newest" }]
    : [];
/** A change from its author's wish to its end, with at most one other step between: drawn one by one they seldom meet. */
const flow: fc.Arbitrary<Step[]> = fc
  .tuple(
    ask,
    fc.array(step, { maxLength: 1 }),
    fc.constantFrom(1, 1, 2),
    fc.array(changeStep, { maxLength: 1 }),
    fc.constantFrom<Settle[]>("execute", "execute", "execute", "execute", "withdraw", "reject"),
    key,
  )
  .map(([wish, between, approvals, after, end, of]) => {
    const by = (place: number, how: Settle, withKey: typeof of = null): Step =>
      settle({ which: "open", digest: "current", by: (wish.by + place) % 3, settle: how }, withKey);
    const approved = Array.from({ length: approvals }, (_, i) => by(i + 1, "approve"));
    return [
      wish,
      ...between,
      ...approved,
      ...after,
      by(end === "reject" ? 1 : 0, end, of),
      ...advance(wish.of),
    ];
  });
const chunk: fc.Arbitrary<Step[]> = fc.oneof(
  { weight: 12, arbitrary: step.map((one) => [one]) },
  { weight: 2, arbitrary: flow },
  { weight: 2, arbitrary: rollout },
);

const clientLabels = fc.record(
  Object.fromEntries(Object.entries(LABEL_VALUES).map(([name, of]) => [name, fc.constantFrom(...of)])),
  { requiredKeys: [] },
) as fc.Arbitrary<Record<string, string>>;

const head = { match: "none", key: null } as const;
/** Three configs that everyone gets: without any, most steps would be of a config that is not there. Then the policy. */
const FIRST: readonly Turn[] = [
  ...SLOTS.filter((first) => first !== "c.json").map((first): Step => ({
    do: "create",
    ...head,
    slot: first,
    content: "one",
    format: "json",
    hasSchema: first === "b.json",
    isEncrypted: false,
    retention: null,
    release: "default",
  })),
  { do: "policy" as const, ...head, slot: "d.json" as const, required: 1, appliesTo: null },
].map((first) => ({ step: first, clients: [{}] }));

/** Sequences of up to about so many steps, after those that make the first configs. */
export function turns(stepsMax: number): fc.Arbitrary<Turn[]> {
  const part = fc.record({ steps: chunk, clients: fc.array(clientLabels, { minLength: 1, maxLength: 2 }) });
  // Without bias, which is for what is drawn again and again: it makes the first ones short.
  return fc
    .noBias(fc.array(part, { minLength: 1, maxLength: stepsMax, size: "max" }))
    .map((parts) => [
      ...FIRST,
      ...parts.flatMap(({ steps, clients }) => steps.map((one) => ({ step: one, clients }))),
    ]);
}
