/** A decimal number kept as it was written, so that comparing two is exact whatever their length. */
export interface Decimal {
  negative: boolean;
  /** Without zeros at the front; empty for a number below one. */
  whole: string;
  /** Without zeros at the end. */
  fraction: string;
}

const DECIMAL = /^([+-]?)0*(\d+)(?:\.(\d+))?$/;

/** Reads `12`, `-0.5`, `+3.25`: digits, with digits on both sides of a point. Null for everything else, `1e3` too. */
export function parseDecimal(text: string): Decimal | null {
  const [, sign, digits, decimals = ""] = DECIMAL.exec(text) ?? [];
  if (digits === undefined) return null;
  const whole = digits === "0" ? "" : digits;
  let end = decimals.length;
  while (end > 0 && decimals.charCodeAt(end - 1) === 0x30) end -= 1;
  const fraction = decimals.slice(0, end);
  return { negative: sign === "-" && whole + fraction !== "", whole, fraction };
}

/** Negative when `a` is smaller, 0 when the two are equal. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.negative !== b.negative) return a.negative ? -1 : 1;
  // Of two negative numbers the one that is larger without its sign is the smaller one.
  const [x, y] = a.negative ? [b, a] : [a, b];
  return (
    x.whole.length - y.whole.length || compareText(x.whole, y.whole) || compareText(x.fraction, y.fraction)
  );
}

/** Digits of equal meaning by place: text order is their order, and a prefix comes first. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
