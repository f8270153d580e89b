import { LIST_LIMIT_MAX } from "../../contracts/limits.ts";

/** A page is as long as was asked for, within what a list may have. */
export function clampLimit(limit: number): number {
  return Math.min(Math.max(limit, 1), LIST_LIMIT_MAX);
}
