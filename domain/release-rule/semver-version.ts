/** A version of Semantic Versioning 2.0.0. Build metadata takes no part in the order and is dropped. */
export interface SemVersion {
  numbers: readonly [major: number, minor: number, patch: number];
  /** Identifiers of the pre-release; none for a release. */
  pre: readonly string[];
}

const NUMBER = "(?:0|[1-9]\\d{0,15})";
const IDENTIFIER = "(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)";
export const PRE_RELEASE = `${IDENTIFIER}(?:\\.${IDENTIFIER})*`;
export const BUILD = "[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*";
const VERSION = new RegExp(
  `^v?(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(?:-(${PRE_RELEASE}))?(?:\\+${BUILD})?$`,
);
const DIGITS = /^\d+$/;

/** Reads a version, with a `v` before it too; null for everything else, `1.2` too. */
export function parseSemver(text: string): SemVersion | null {
  const [, major, minor, patch, pre] = VERSION.exec(text) ?? [];
  if (major === undefined) return null;
  const numbers = [Number(major), Number(minor), Number(patch)] as const;
  if (!numbers.every(Number.isSafeInteger)) return null;
  return { numbers, pre: pre?.split(".") ?? [] };
}

/** Precedence (section 11 of the specification): negative when `a` is older, 0 when neither is. */
export function compareSemver(a: SemVersion, b: SemVersion): number {
  for (const i of [0, 1, 2] as const) {
    if (a.numbers[i] !== b.numbers[i]) return a.numbers[i] - b.numbers[i];
  }
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length;
  for (const [i, identifier] of a.pre.entries()) {
    const other = b.pre[i];
    if (other === undefined) return 1;
    const order = compareIdentifiers(identifier, other);
    if (order !== 0) return order;
  }
  return a.pre.length - b.pre.length;
}

/** Numbers by their value, whatever their length, and before all that are none. */
function compareIdentifiers(a: string, b: string): number {
  if (a === b) return 0;
  const [aIsNumber, bIsNumber] = [DIGITS.test(a), DIGITS.test(b)];
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return (aIsNumber ? a.length - b.length : 0) || (a < b ? -1 : 1);
}
