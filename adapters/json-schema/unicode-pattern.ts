/**
 * JSON Schema patterns are ECMA-262 expressions. The validator compiles them with the `u` flag, which refuses what many
 * published schemas hold: escapes that escape nothing (`\_`, `\"`), a class escape beside a hyphen (`[\w-.]`), lone
 * braces and brackets. This writes such a pattern in the stricter grammar, meaning the same.
 */
export function toUnicodePattern(pattern: string): string | null {
  if (compiles(pattern, "u")) return pattern;
  if (!compiles(pattern, "")) return null;
  const strict = rewrite(pattern);
  return compiles(strict, "u") ? strict : null;
}

function compiles(pattern: string, flags: string): boolean {
  try {
    return new RegExp(pattern, flags).flags === flags;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return false;
  }
}

/** What `\` may stand before under the `u` flag, besides syntax characters. */
const ESCAPES_WITH_MEANING = /[dDwWsSbBtnvfr0-9cxukpP]/;
const SYNTAX_CHARACTER = /[\^$\\.*+?()[\]{}|/]/;

/** Characters of a `{n,m}` that is read as one; no engine counts further. */
const QUANTIFIER_LENGTH_MAX = 40;

function rewrite(pattern: string): string {
  let out = "";
  let inClass = false;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? "";
    const next = pattern[i + 1] ?? "";
    if (char === "\\") {
      const keep =
        SYNTAX_CHARACTER.test(next) || ESCAPES_WITH_MEANING.test(next) || (inClass && next === "-");
      out += keep ? char + next : next;
      i++;
    } else if (inClass) {
      if (char === "]") inClass = false;
      // A hyphen with a class escape on either side is a plain hyphen.
      const besideEscape =
        /\\[dDwWsS]$/.test(out.slice(-2)) || /^\\[dDwWsS]/.test(pattern.slice(i + 1, i + 3));
      out += char === "-" && besideEscape ? "\\-" : char;
    } else if (char === "[") {
      inClass = true;
      out += char;
    } else if (char === "]" || char === "}" || char === "{") {
      const quantifier =
        char === "{" ? /^\{\d+(?:,\d*)?\}/.exec(pattern.slice(i, i + QUANTIFIER_LENGTH_MAX)) : null;
      out += quantifier ? quantifier[0] : `\\${char}`;
      i += quantifier ? quantifier[0].length - 1 : 0;
    } else out += char;
  }
  return out;
}
