import { z } from "zod";

/**
 * A whole number in a query, from `min` to `max`: decimal digits alone. JavaScript takes `1e2`, `0x10` and blanks for
 * numbers, too, and then means another page than its sender may think.
 */
export function wholeNumber(min: number, max: number) {
  return z.preprocess(
    (given) => (typeof given === "string" && !/^\d+$/.test(given) ? Number.NaN : given),
    z.coerce.number({ error: "expected a whole number in decimal digits" }).int().min(min).max(max),
  );
}
