import * as fc from "fast-check";
import { expect, it } from "vitest";
import { encodeStateRow } from "../backup/restore-rows.ts";
import { publishIdOf } from "../publish/publish-plan.ts";
import { applyCommand, COMMAND_KINDS } from "./apply-command.ts";
import { checkInvariants } from "./check-invariants.ts";
import { parseCommand } from "./command-schema.ts";
import type { CommandKind } from "./command.ts";
import type { FeedEntry } from "./feed-entry.ts";
import { MemoryState } from "./memory-state.ts";
import { isKeptRow } from "./state-view.ts";
import { stepConfig, type Took } from "./testing-command-model.ts";
import { seenOfModel, seenOfState } from "./testing-read-model.ts";
import { commandOfStep } from "./testing-step-commands.ts";
import {
  type FieldsOf,
  isSystemStep,
  PLAIN_NAMES,
  SEALED_NAME,
  type Step,
  type StepGate,
  type StepName,
  TYPED_NAME,
} from "./testing-steps.ts";
import { emptyModel, type Model, stepSystem } from "./testing-system-model.ts";

/** Between two commands; a stage bakes for two of them. */
const STEP_MS = 300;

const content = fc.constantFrom("1" as const, "2" as const, "3" as const);
const version = fc.integer({ min: 1, max: 4 });
const stage = fc.constantFrom(1, 1, 1, 2);
const flag = fc.boolean();
const rule = fc.record({ label: fc.constantFrom("", "x", "y"), version });
const person = fc.constantFrom("ada" as const, "bob" as const, "cyd" as const);
const restore = fc.constantFrom(0, 0, 0, 1, 2);
const node = fc.constantFrom(1, 2);
const place = fc.constantFrom("here" as const, "there" as const);

type Fields = { [Do in StepName]: { [Field in keyof FieldsOf<Do>]: fc.Arbitrary<FieldsOf<Do>[Field]> } };
type Name = Step<"delete">["name"];
/** Every step about some of these names, so that a new one is generated or does not compile. */
const fieldsOf = (name: fc.Arbitrary<Name>): Fields => ({
  create: {
    name,
    content,
    release: flag,
    keeps: fc.constantFrom(null, 1, 2),
    key: fc.option(fc.integer({ min: 1, max: 3 })),
    max: fc.option(fc.integer({ min: 0, max: 5 })),
  },
  version: { name, content },
  draft: { name, content },
  rules: { name, rules: fc.array(rule, { maxLength: 3 }), abortPlan: flag },
  rollback: { name, version, abortPlan: flag },
  delete: { name },
  retention: { name, keeps: fc.option(fc.integer({ min: 1, max: 3 })) },
  prune: { name, versions: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 }) },
  batch: { name, other: name, content, version, abortPlan: flag },
  publish: {
    name,
    what: fc.oneof(content, version),
    stages: fc.integer({ min: 0, max: 3 }),
    bakes: flag,
    gate: fc.constantFrom<StepGate[]>("none", "approval", "pauses", "aborts"),
    abortPlan: flag,
  },
  advance: { name, cause: fc.constantFrom("by_hand" as const, "bake_over" as const), stage, held: flag },
  pause: { name, stage, on_timeout: fc.constantFrom("abort" as const, "resume" as const) },
  resume: { name },
  end_pause: { name },
  abort: { name },
  report: { name, stage, verdict: fc.constantFrom("holds" as const, "waits" as const, "fails" as const) },
  approve_stage: { name, stage, by: person },
  ask: { name, version, edit: flag },
  approve: { name, by: person },
  reject: { name, by: person },
  withdraw: { name, by: person },
  execute: { name },
  bundle: { name: fc.constantFrom(...PLAIN_NAMES), content, released: flag },
  rewrap: { name: fc.constant(SEALED_NAME), version, stale: flag },
  guard: { guarded: flag },
  revoke: { jti: fc.constantFrom("1", "2"), forMs: fc.integer({ min: 0, max: 4000 }) },
  anchor: { seq: fc.integer({ min: 1, max: 4 }), hash: fc.constantFrom("a" as const, "b" as const) },
  register: { node, at: place, disk: place },
  move: { node, at: place },
  retire: { node },
  note: { failed: flag },
  begin_restore: { restore: fc.constantFrom(1, 2, 3) },
  restore_chunk: { restore },
  commit_restore: { restore },
  abort_restore: { restore },
});
/** Of steps without which the others find nothing to do. */
const WEIGHTS: Partial<Record<StepName, number>> = {
  create: 8,
  publish: 8,
  advance: 6,
  report: 4,
  approve_stage: 3,
  abort: 3,
  ask: 4,
  approve: 3,
  draft: 4,
  revoke: 2,
  begin_restore: 2,
  restore_chunk: 2,
  commit_restore: 2,
};
const stepsAbout = (names: readonly Name[]): fc.Arbitrary<Step[]> => {
  const all = fieldsOf(fc.constantFrom(...names));
  const anyStep = fc.oneof(
    ...(Object.keys(all) as StepName[]).map((own) => {
      const fields: Record<string, fc.Arbitrary<unknown>> = all[own];
      const step = fc.record({ do: fc.constant(own), ...fields });
      return { weight: WEIGHTS[own] ?? 1, arbitrary: step as unknown as fc.Arbitrary<Step> };
    }),
  );
  return fc.array(anyStep, { maxLength: 60, size: "max" });
};
/** Much happens to few configs in one sequence, or little to all of them. */
const anySteps = fc.oneof(
  ...[["a"], [TYPED_NAME], [SEALED_NAME], ["a", "b"], ["a", TYPED_NAME, SEALED_NAME]].map((names) =>
    stepsAbout(names as Name[]),
  ),
  stepsAbout([...PLAIN_NAMES, TYPED_NAME, SEALED_NAME]),
);

const CREATE = { do: "create", content: "1", release: true, keeps: null, key: null, max: null } as const;
const PUBLISH = { do: "publish", what: 1, stages: 1, bakes: true, gate: "none", abortPlan: false } as const;
/** A sequence in which every kind of command is done, and not refused. */
const TOUR: Step[] = [
  { ...CREATE, name: "a", key: 1 },
  { do: "version", name: "a", content: "2" },
  { do: "version", name: "a", content: "3" },
  { do: "rules", name: "a", rules: [{ label: "", version: 1 }], abortPlan: false },
  { do: "rollback", name: "a", version: 2, abortPlan: false },
  { do: "retention", name: "a", keeps: 1 },
  { do: "prune", name: "a", versions: [1] },
  { ...CREATE, name: "b" },
  { do: "batch", name: "a", other: "b", content: "1", version: 1, abortPlan: false },
  { ...CREATE, name: TYPED_NAME, release: false },
  { do: "draft", name: TYPED_NAME, content: "2" },
  { ...PUBLISH, name: TYPED_NAME, gate: "approval" },
  { do: "approve_stage", name: TYPED_NAME, stage: 1, by: "bob" },
  { do: "report", name: TYPED_NAME, stage: 1, verdict: "holds" },
  { do: "pause", name: TYPED_NAME, stage: 1, on_timeout: "resume" },
  { do: "resume", name: TYPED_NAME },
  { do: "pause", name: TYPED_NAME, stage: 1, on_timeout: "resume" },
  { do: "note", failed: false },
  { do: "note", failed: true },
  { do: "guard", guarded: true },
  { do: "guard", guarded: false },
  { do: "end_pause", name: TYPED_NAME },
  { do: "advance", name: TYPED_NAME, cause: "by_hand", stage: 1, held: true },
  { ...PUBLISH, name: "b", what: "2" },
  { do: "abort", name: "b" },
  { do: "ask", name: "a", version: 4, edit: false },
  { do: "ask", name: "a", version: 4, edit: true },
  { do: "approve", name: "a", by: "bob" },
  { do: "execute", name: "a" },
  { do: "ask", name: "a", version: 4, edit: false },
  { do: "reject", name: "a", by: "bob" },
  { do: "ask", name: "a", version: 4, edit: false },
  { do: "withdraw", name: "a", by: "ada" },
  { do: "bundle", name: "c", content: "1", released: true },
  { ...CREATE, name: SEALED_NAME },
  { do: "rewrap", name: SEALED_NAME, version: 1, stale: false },
  { do: "revoke", jti: "1", forMs: 1000 },
  { do: "anchor", seq: 1, hash: "a" },
  { do: "register", node: 1, at: "here", disk: "here" },
  { do: "move", node: 1, at: "there" },
  { do: "retire", node: 1 },
  { do: "begin_restore", restore: 1 },
  { do: "delete", name: "c" },
  { do: "restore_chunk", restore: 0 },
  { do: "commit_restore", restore: 0 },
  { do: "begin_restore", restore: 2 },
  { do: "abort_restore", restore: 0 },
];

/** The rows that a backup has, as one chunk. */
function backupOf(state: MemoryState): Uint8Array {
  const utf8 = new TextEncoder();
  const rows = state.rows().filter(({ key }) => !isKeptRow(key));
  const encoded = rows.map(({ key, value }) =>
    typeof value === "string"
      ? encodeStateRow({ key: utf8.encode(key), kind: "json", value: utf8.encode(value) })
      : encodeStateRow({ key: utf8.encode(key), kind: "bytes", value }),
  );
  return Uint8Array.from(encoded.flatMap((row) => [...row]));
}

/** One sequence, held to the model after each step. */
class Sequence {
  readonly state = new MemoryState();
  readonly model: Model = emptyModel();
  readonly feed: FeedEntry[] = [];
  #index = 0;

  /** Answers what was asked for, and whether it was done. */
  take(step: Step): { kind: CommandKind; isDone: boolean } {
    this.#index += 1;
    const at = { nowMs: this.#index * STEP_MS, index: this.#index };
    const { command, attachments } = commandOfStep(step, { state: this.state, model: this.model, ...at });
    expect(parseCommand(command)).toEqual({ ok: true, command });
    const { changes, feedEntry, outcome } = applyCommand({
      state: this.state,
      command,
      attachments,
      index: at.index,
      prevFeedIndex: this.feed.at(-1)?.index ?? 0,
      timestampMs: at.nowMs,
      clusterId: "c1",
      epoch: this.model.epoch,
    });
    this.state.apply(changes);
    if (feedEntry !== null) this.feed.push(feedEntry);
    const used = step.do === "create" && step.key !== null ? this.model.world.keys.get(step.key) : undefined;
    if (used !== undefined) {
      expect(outcome).toMatchObject(
        used === JSON.stringify(step) ? { ok: true, replayed: true } : { code: "idempotency_conflict" },
      );
      expect(changes).toEqual([]);
    } else {
      const took = this.#stepModel(step, at);
      expect([step.do, outcome.ok]).toEqual([step.do, took !== "refused"]);
      if (took !== "either") expect([step.do, feedEntry !== null]).toEqual([step.do, took === "told"]);
      if (took === "refused") expect(changes).toEqual([]);
      else this.#remember(step);
    }
    expect(checkInvariants(this.state)).toEqual([]);
    expect(seenOfState(this.state)).toEqual(seenOfModel(this.model));
    return { kind: command.kind, isDone: outcome.ok };
  }

  #stepModel(step: Step, at: { nowMs: number; index: number }): Took {
    if (!isSystemStep(step)) return stepConfig(this.model.world, step, at);
    return stepSystem(this.model, step, {
      nowMs: at.nowMs,
      backup: () => ({ world: structuredClone(this.model.world), chunk: backupOf(this.state) }),
    });
  }

  /** The ids that a step has made. */
  #remember(step: Step): void {
    const { ids, plans, keys } = this.model.world;
    if (step.do === "create") {
      ids.set(step.name, `cfg-c1-${this.#index}`);
      if (step.key !== null) keys.set(step.key, JSON.stringify(step));
    } else if (step.do === "delete") ids.delete(step.name);
    else if (step.do === "bundle") ids.set(step.name, ids.get(step.name) ?? `cfg-c1-${this.#index}-0`);
    else if (step.do === "publish") plans.set(step.name, publishIdOf(ids.get(step.name) ?? "", this.#index));
  }
}

it("C7 every kind of command is done in the tour", () => {
  const sequence = new Sequence();
  const done = TOUR.map((step) => sequence.take(step)).flatMap(({ kind, isDone }) => (isDone ? [kind] : []));
  // A new kind needs a step, its place in the model, and one in the tour.
  expect([...new Set(done)].toSorted()).toEqual(COMMAND_KINDS.toSorted());
  expect(sequence.take({ ...CREATE, name: "c" })).toEqual({ kind: "create_config", isDone: false });
});

it("A4 A5 A6 C1 C2 C4 C6 C7 C10 C12 C13 C14 K3 P1 P4 P5 P6 R5 R13 any sequence of commands does what a simple model says, and keeps the invariants", () => {
  const asked = new Set<CommandKind>();
  fc.assert(
    fc.property(anySteps, (steps) => {
      const sequence = new Sequence();
      for (const step of steps) asked.add(sequence.take(step).kind);
      sequence.feed.forEach((entry, i) => expect(entry.prev_index).toBe(sequence.feed[i - 1]?.index ?? 0));
    }),
    { numRuns: 200 },
  );
  // Thousands of steps: a kind that is not among them is not generated.
  expect([...asked].toSorted()).toEqual(COMMAND_KINDS.toSorted());
});
