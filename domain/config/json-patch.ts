import { JSON_PATCH_OPERATIONS_MAX, JSON_PATCH_STEPS_MAX } from "../limits.ts";

/** An operation of RFC 6902; `path` is a JSON pointer. */
export type PatchOperation =
  | { op: "add" | "replace"; path: string; value: unknown }
  | { op: "remove"; path: string };

interface Run {
  operations: PatchOperation[];
  stepsLeft: number;
}

/** Two documents whose difference takes more than the limits allow. */
class TooDifferent extends Error {
  override readonly name = "TooDifferent";
}

/**
 * A JSON Patch (RFC 6902) that turns one JSON value into another; none for equal ones. Null when it would take more
 * than `JSON_PATCH_OPERATIONS_MAX` operations or `JSON_PATCH_STEPS_MAX` comparisons. Lists are compared from both ends,
 * so that one element put in or taken out stays one operation; what lies between is compared place by place. Recursion
 * is as deep as the values are.
 */
export function jsonPatch(from: unknown, to: unknown): PatchOperation[] | null {
  const run: Run = { operations: [], stepsLeft: JSON_PATCH_STEPS_MAX };
  try {
    compare(from, to, "", run);
  } catch (error) {
    if (error instanceof TooDifferent) return null;
    throw error;
  }
  return run.operations;
}

function compare(from: unknown, to: unknown, path: string, run: Run): void {
  step(run);
  if (asJson(from) === asJson(to)) return;
  if (Array.isArray(from) && Array.isArray(to)) compareLists(from, to, path, run);
  else if (isRecord(from) && isRecord(to)) compareRecords(from, to, path, run);
  else emit(run, { op: "replace", path, value: to });
}

/** JSON has no `nan` and no `inf`: they are written as null, so one that stays is no difference. */
function asJson(value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? null : value;
}

type Json = Record<string, unknown>;

function compareRecords(from: Json, to: Json, path: string, run: Run): void {
  for (const name of Object.keys(from)) {
    const at = `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (Object.hasOwn(to, name)) compare(from[name], to[name], at, run);
    else emit(run, { op: "remove", path: at });
  }
  for (const name of Object.keys(to)) {
    step(run);
    if (Object.hasOwn(from, name)) continue;
    const at = `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    emit(run, { op: "add", path: at, value: to[name] });
  }
}

function compareLists(from: readonly unknown[], to: readonly unknown[], path: string, run: Run): void {
  const shorter = Math.min(from.length, to.length);
  let start = 0;
  while (start < shorter && isSame(from[start], to[start], run)) start++;
  let end = 0;
  while (end < shorter - start && isSame(from[from.length - 1 - end], to[to.length - 1 - end], run)) end++;
  const [fromEnd, toEnd] = [from.length - end, to.length - end];
  const common = Math.min(fromEnd, toEnd);
  for (let i = start; i < common; i++) compare(from[i], to[i], `${path}/${i}`, run);
  // From the back, so that no removal moves what another one means.
  for (let i = fromEnd - 1; i >= common; i--) emit(run, { op: "remove", path: `${path}/${i}` });
  for (let i = common; i < toEnd; i++) emit(run, { op: "add", path: `${path}/${i}`, value: to[i] });
}

function isSame(a: unknown, b: unknown, run: Run): boolean {
  step(run);
  if (asJson(a) === asJson(b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => isSame(item, b[i], run));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name], run));
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function step(run: Run): void {
  if (--run.stepsLeft < 0) throw new TooDifferent();
}

function emit(run: Run, operation: PatchOperation): void {
  if (run.operations.length >= JSON_PATCH_OPERATIONS_MAX) throw new TooDifferent();
  run.operations.push(operation);
}
