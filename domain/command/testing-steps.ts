/** A config of each kind that commands tell apart: plain ones, a typed one, and an encrypted one. */
export const PLAIN_NAMES = ["a", "b", "c"] as const;
export const TYPED_NAME = "typed";
export const SEALED_NAME = "sealed";
type PlainName = (typeof PLAIN_NAMES)[number];
type Name = PlainName | typeof TYPED_NAME | typeof SEALED_NAME;
/** A stage bakes for so long, ... */
export const BAKE_MS = 600;
/** ... and a pause counts as forgotten after that. */
export const PAUSE_MS = 600;

/** What the stages of a plan wait for: nothing, a person, or a report that stops the plan when it fails. */
export type StepGate = "none" | "approval" | "pauses" | "aborts";
type Content = "1" | "2" | "3";
type Person = "ada" | "bob" | "cyd";
type Place = "here" | "there";

/** What each step has, but for its own name. */
interface StepFields {
  create: {
    name: Name;
    content: Content;
    release: boolean;
    keeps: number | null;
    key: number | null;
    max: number | null;
  };
  version: { name: Name; content: Content };
  draft: { name: Name; content: Content };
  rules: { name: Name; rules: { label: string; version: number }[]; abortPlan: boolean };
  rollback: { name: Name; version: number; abortPlan: boolean };
  delete: { name: Name };
  retention: { name: Name; keeps: number | null };
  prune: { name: Name; versions: number[] };
  batch: { name: Name; other: Name; content: Content; version: number; abortPlan: boolean };
  publish: {
    name: Name;
    what: Content | number;
    stages: number;
    bakes: boolean;
    gate: StepGate;
    abortPlan: boolean;
  };
  advance: { name: Name; cause: "by_hand" | "bake_over"; stage: number; held: boolean };
  pause: { name: Name; stage: number; on_timeout: "abort" | "resume" };
  resume: { name: Name };
  end_pause: { name: Name };
  abort: { name: Name };
  report: { name: Name; stage: number; verdict: "holds" | "waits" | "fails" };
  approve_stage: { name: Name; stage: number; by: Person };
  ask: { name: Name; version: number; edit: boolean };
  approve: { name: Name; by: Person };
  reject: { name: Name; by: Person };
  withdraw: { name: Name; by: Person };
  execute: { name: Name };
  bundle: { name: PlainName; content: Content; released: boolean };
  rewrap: { name: typeof SEALED_NAME; version: number; stale: boolean };
  guard: { guarded: boolean };
  revoke: { jti: string; forMs: number };
  anchor: { seq: number; hash: "a" | "b" };
  register: { node: number; at: Place; disk: Place };
  move: { node: number; at: Place };
  retire: { node: number };
  note: { failed: boolean };
  begin_restore: { restore: number };
  /** 0: the one that is under way; so are the next. */
  restore_chunk: { restore: number };
  commit_restore: { restore: number };
  abort_restore: { restore: number };
}
export type StepName = keyof StepFields;
/** What a step has, each field wrapped in something. */
export type FieldsOf<Do extends StepName> = StepFields[Do];
/** One step of a sequence: what is done, and to what. */
export type Step<Of extends StepName = StepName> = { [Do in Of]: { do: Do } & StepFields[Do] }[Of];

/** Steps of the state as a whole; all others are about one config. */
const SYSTEM_STEPS = [
  "guard",
  "revoke",
  "anchor",
  "register",
  "move",
  "retire",
  "note",
  "begin_restore",
  "restore_chunk",
  "commit_restore",
  "abort_restore",
] as const satisfies readonly StepName[];
export type SystemStep = Step<(typeof SYSTEM_STEPS)[number]>;
export type ConfigStep = Exclude<Step, SystemStep>;
export function isSystemStep(step: Step): step is SystemStep {
  return SYSTEM_STEPS.some((name) => name === step.do);
}
