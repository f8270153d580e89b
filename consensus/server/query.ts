import type { Consistency } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/** A whole number of the query within bounds. Throws `malformed_request`; `fallback` when it is not there. */
export function wholeNumber(
  query: URLSearchParams,
  name: string,
  bounds: { min: number; max: number; fallback?: number },
): number {
  const text = query.get(name);
  if (text === null && bounds.fallback !== undefined) return bounds.fallback;
  const value = text !== null && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= bounds.min && value <= bounds.max) return value;
  throw new ConfluxError("malformed_request", `${name} is not valid`, {
    errors: [{ path: `/${name}`, message: `a whole number from ${bounds.min} to ${bounds.max}` }],
  });
}

export function oneOf<T extends string>(
  query: URLSearchParams,
  name: string,
  values: readonly T[],
  fallback: T,
): T {
  const text = query.get(name) ?? fallback;
  const value = values.find((v) => v === text);
  if (value !== undefined) return value;
  throw new ConfluxError("malformed_request", `${name} is not valid`, {
    errors: [{ path: `/${name}`, message: `one of ${values.join(", ")}` }],
  });
}

export function consistencyOf(query: URLSearchParams): Consistency {
  return oneOf(query, "consistency", ["stale", "leader", "linearizable"], "leader");
}
