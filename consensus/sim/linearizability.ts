/**
 * Whether a history of concurrent operations could have come from one copy of the data that does one operation at a
 * time, each at some moment between its call and its return.
 *
 * The search is Wing and Gong's (JPDC 1993) in Lowe's just-in-time form (CCPE 2017): events are taken in the order of
 * time, and an operation is put into the order only when a return needs it, it or one open beside it. What was tried is
 * remembered by (event, operations open but already in the order, state), as Porcupine does. Keys are checked one by
 * one, since linearizability is local.
 *
 * Invariant: an operation of unknown outcome is never obliged to happen, so a situation that failed fails all the more
 * when further such operations are used up in it. That is what keeps many of them cheap; it would be wrong for an
 * operation that returned.
 */

export interface Operation<I, O> {
  client: string;
  key: string;
  input: I;
  /** Ignored where the outcome is unknown. Leave out what is known not to have happened. */
  output: O | null;
  /** In any one unit that grows; operations that touch at one instant count as concurrent. */
  calledAt: number;
  /** `Infinity`: no answer came, the operation may have happened at any time since, or never. */
  returnedAt: number;
}

/** Stands for the output of an operation whose outcome is unknown. */
export const UNKNOWN = Symbol("unknown outcome");

/** What one key does, one operation at a time. States are values: never changed, equal when their hashes are. */
export interface Model<S, I, O> {
  initial: S;
  /** The next state; undefined when `output` is not what `state` answers. With `unknown` any answer will do. */
  step(state: S, input: I, output: O | null | typeof UNKNOWN): S | undefined;
  hash(state: S): string;
  /** True for an operation that never changes a state: one that fits is taken as soon as it can be. */
  isRead(input: I): boolean;
  /** False when `state` is past the point where the operation could have had this output, whatever comes next. */
  canStill(state: S, input: I, output: O | null): boolean;
  /** False when an operation of unknown outcome can be left out, since none of the outputs there are could show it. */
  matters(input: I, outputs: ReadonlySet<O | null>): boolean;
}

export type Verdict =
  | { ok: true }
  /** `undecided`: the search was given up at its limit, the history may be either. */
  | { ok: false; reason: "violation" | "undecided"; key: string; explanation: string };

/** Steps of the model tried for one key before its history is called undecided. */
export const LINEARIZABILITY_STEPS_MAX = 20_000_000;

/** Checks every key; answers the first that is not linearizable, else the first that is undecided. */
export function checkLinearizable<S, I, O>(
  history: readonly Operation<I, O>[],
  model: Model<S, I, O>,
  stepsMax = LINEARIZABILITY_STEPS_MAX,
): Verdict {
  const verdicts = [...Map.groupBy(history, ({ key }) => key)].map(([key, operations]) =>
    checkKey(key, withoutIdle(operations, model), model, stepsMax),
  );
  const failed = verdicts.filter((verdict) => !verdict.ok);
  return failed.find(({ reason }) => reason === "violation") ?? failed[0] ?? { ok: true };
}

/** Without the operations of unknown outcome that cannot explain anything. */
function withoutIdle<S, I, O>(
  operations: readonly Operation<I, O>[],
  model: Model<S, I, O>,
): readonly Operation<I, O>[] {
  const outputs = new Set(
    operations.filter((operation) => !isUnknown(operation)).map(({ output }) => output),
  );
  return operations.filter(
    (operation) =>
      !isUnknown(operation) || (!model.isRead(operation.input) && model.matters(operation.input, outputs)),
  );
}

function isUnknown({ returnedAt }: Operation<unknown, unknown>): boolean {
  return returnedAt === Number.POSITIVE_INFINITY;
}

interface Event {
  operation: number;
  isReturn: boolean;
}

/** A point of the search, at a return that is not yet explained. */
interface Situation<S> {
  state: S;
  /** Open operations that will return and are in the order already, ascending. */
  taken: readonly number[];
  /** Operations of unknown outcome in the order, ascending. */
  used: readonly number[];
}

interface Frame<S> {
  position: number;
  /** To be extended, those with fewest operations first. */
  queue: Situation<S>[];
  next: number;
  seen: Seen;
}

/** Of (taken, state): the sets of used operations that were tried. */
type Seen = Map<string, (readonly number[])[]>;

function checkKey<S, I, O>(
  key: string,
  operations: readonly Operation<I, O>[],
  model: Model<S, I, O>,
  stepsMax: number,
): Verdict {
  const events = eventsOf(operations);
  const openAt = openOperations(operations, events);
  const tried = new Map<number, Seen>();
  let steps = 0;
  let furthest = { position: -1, state: model.initial };
  const frames: Frame<S>[] = [];

  /** Goes on to the next return that is not explained; false when there is none: the history is. */
  const enter = (from: number, situation: Situation<S>): boolean => {
    let here = situation;
    let position = from;
    for (; position < events.length; position += 1) {
      const { operation, isReturn } = events[position] ?? { operation: -1, isReturn: false };
      if (!isReturn) continue;
      here = takeReads(here, openAt.get(position) ?? [], operations, model);
      if (!here.taken.includes(operation)) break;
      here = { ...here, taken: here.taken.filter((taken) => taken !== operation) };
    }
    if (position >= events.length) return false;
    const seen: Seen = tried.get(position) ?? new Map();
    tried.set(position, seen);
    if (!isNew(seen, here, model)) return true;
    if (position > furthest.position) furthest = { position, state: here.state };
    const frame: Frame<S> = { position, queue: [here], next: 0, seen: new Map() };
    isNew(frame.seen, here, model);
    frames.push(frame);
    return true;
  };

  if (!enter(0, { state: model.initial, taken: [], used: [] })) return { ok: true };
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const situation = frame.queue[frame.next];
    if (situation === undefined) {
      frames.pop();
      continue;
    }
    frame.next += 1;
    const returning = events[frame.position]?.operation ?? -1;
    const open = openAt.get(frame.position) ?? [];
    steps += open.length + 1;
    if (steps > stepsMax) {
      const explanation = `not decided within ${stepsMax} steps: ${describe(operations, events, openAt, furthest, model)}`;
      return { ok: false, reason: "undecided", key, explanation };
    }
    const done = situation.taken.includes(returning)
      ? situation
      : take(situation, returning, operations, model);
    for (const other of done === situation ? [] : open) {
      const taken = other === returning ? null : take(situation, other, operations, model);
      if (taken === null) continue;
      const further = takeReads(taken, open, operations, model);
      if (canReturn(further, returning, operations, model) && isNew(frame.seen, further, model))
        frame.queue.push(further);
    }
    if (done !== null && !enter(frame.position, done)) return { ok: true };
  }
  const explanation = describe(operations, events, openAt, furthest, model);
  return { ok: false, reason: "violation", key, explanation };
}

/** Puts one more operation into the order; null when it is there already or does not fit. */
function take<S, I, O>(
  situation: Situation<S>,
  index: number,
  operations: readonly Operation<I, O>[],
  model: Model<S, I, O>,
): Situation<S> | null {
  const operation = operations[index];
  if (operation === undefined || situation.taken.includes(index) || situation.used.includes(index))
    return null;
  const isOptional = isUnknown(operation);
  const state = model.step(situation.state, operation.input, isOptional ? UNKNOWN : operation.output);
  if (state === undefined) return null;
  const { taken, used } = situation;
  return isOptional
    ? { state, taken, used: insert(used, index) }
    : { state, taken: insert(taken, index), used };
}

function canReturn<S, I, O>(
  { state, taken }: Situation<S>,
  returning: number,
  operations: readonly Operation<I, O>[],
  model: Model<S, I, O>,
): boolean {
  const operation = operations[returning];
  if (operation === undefined || taken.includes(returning)) return true;
  return model.canStill(state, operation.input, operation.output);
}

/** Takes every open read that fits: none will fit better later, and a read taken obliges to nothing. */
function takeReads<S, I, O>(
  situation: Situation<S>,
  open: readonly number[],
  operations: readonly Operation<I, O>[],
  model: Model<S, I, O>,
): Situation<S> {
  let result = situation;
  for (const index of open) {
    const operation = operations[index];
    if (operation === undefined || isUnknown(operation)) continue;
    if (model.isRead(operation.input)) result = take(result, index, operations, model) ?? result;
  }
  return result;
}

/** False when the same, or the same with fewer operations used up, was tried; else notes it. */
function isNew<S, I, O>(seen: Seen, { state, taken, used }: Situation<S>, model: Model<S, I, O>): boolean {
  const slot = `${taken.join()}|${model.hash(state)}`;
  const known = seen.get(slot);
  if (known === undefined) {
    seen.set(slot, [used]);
    return true;
  }
  if (known.some((fewer) => isSubset(fewer, used))) return false;
  known.push(used);
  return true;
}

/** Both ascending. */
function isSubset(small: readonly number[], large: readonly number[]): boolean {
  let at = 0;
  for (const one of small) {
    while (at < large.length && (large[at] ?? 0) < one) at += 1;
    if (large[at] !== one) return false;
    at += 1;
  }
  return true;
}

function insert(sorted: readonly number[], one: number): readonly number[] {
  const at = sorted.findIndex((other) => other > one);
  return at === -1 ? [...sorted, one] : sorted.toSpliced(at, 0, one);
}

/** Calls and returns in the order of time, calls first at the same instant; an unknown outcome has no return. */
function eventsOf(operations: readonly Operation<unknown, unknown>[]): Event[] {
  const events = operations.flatMap(({ calledAt, returnedAt }, operation) => [
    { operation, isReturn: false, at: calledAt },
    { operation, isReturn: true, at: returnedAt },
  ]);
  return events
    .filter(({ at }) => at !== Number.POSITIVE_INFINITY)
    .toSorted((a, b) => a.at - b.at || Number(a.isReturn) - Number(b.isReturn));
}

/** Of each return: the operations open before it, those that will return first, then the latest of the others. */
function openOperations(
  operations: readonly Operation<unknown, unknown>[],
  events: readonly Event[],
): Map<number, readonly number[]> {
  const returning = new Set<number>();
  const unknown: number[] = [];
  const openAt = new Map<number, readonly number[]>();
  for (const [position, { operation, isReturn }] of events.entries()) {
    if (isReturn) {
      openAt.set(position, [...returning, ...unknown]);
      returning.delete(operation);
      continue;
    }
    const called = operations[operation];
    if (called !== undefined && isUnknown(called)) unknown.unshift(operation);
    else returning.add(operation);
  }
  return openAt;
}

/** The first return that no order reached, with what it met. */
function describe<S, I, O>(
  operations: readonly Operation<I, O>[],
  events: readonly Event[],
  openAt: ReadonlyMap<number, readonly number[]>,
  { position, state }: { position: number; state: S },
  model: Model<S, I, O>,
): string {
  const say = (index: number): string => {
    const operation = operations[index];
    if (operation === undefined) return "";
    const { client, input, output, calledAt, returnedAt } = operation;
    const [answer, end] = isUnknown(operation) ? ["no answer", "?"] : [JSON.stringify(output), returnedAt];
    return `${client} ${JSON.stringify(input)} -> ${answer} [${calledAt}, ${end}]`;
  };
  const returning = events[position]?.operation ?? -1;
  const returned = events.slice(0, position).filter(({ isReturn }) => isReturn).length;
  const beside = (openAt.get(position) ?? []).filter((index) => index !== returning);
  const others = beside.length === 0 ? "" : `; open beside it: ${beside.map(say).join(", ")}`;
  return `no order explains ${say(returning)} after ${returned} returns, with the state at ${model.hash(state)}${others}`;
}

export type RegisterInput = { kind: "write"; value: string } | { kind: "read" };

/** One value, null before the first write. A write answers null, a read the value. */
export const registerModel: Model<string | null, RegisterInput, string> = {
  initial: null,
  step: (state, input, output) => {
    if (input.kind === "write") return input.value;
    return output === UNKNOWN || output === state ? state : undefined;
  },
  hash: (state) => JSON.stringify(state),
  isRead: ({ kind }) => kind === "read",
  canStill: () => true,
  matters: (input, outputs) => input.kind === "write" && outputs.has(input.value),
};

export interface VersionState {
  version: number;
  value: string | null;
}
export type VersionInput = { kind: "append"; value: string } | { kind: "read" };

/** Versions 1, 2, 3 ... An append answers the version it made (the value need not be told), a read the latest one. */
export const versionModel: Model<VersionState, VersionInput, VersionState> = {
  initial: { version: 0, value: null },
  step: (state, input, output) => {
    if (input.kind === "append") {
      const version = state.version + 1;
      const fits = output === UNKNOWN || output?.version === version;
      return fits ? { version, value: input.value } : undefined;
    }
    const fits = output === UNKNOWN || (output?.version === state.version && output.value === state.value);
    return fits ? state : undefined;
  },
  hash: ({ version, value }) => `${version}:${JSON.stringify(value)}`,
  isRead: ({ kind }) => kind === "read",
  canStill: ({ version }, { kind }, output) =>
    kind === "append" ? version < (output?.version ?? 0) : version <= (output?.version ?? 0),
  matters: () => true,
};
