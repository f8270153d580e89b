/** Longest error that is quoted in a line for the terminal. */
const QUOTE_CHARS_MAX = 300;

/**
 * Why a child ended, as its last lines say: the newest error among those after the end of its run before (`-- ...`), in one
 * line of bounded length. Null when no line says that it is one.
 */
export function lastErrorOf(lines: readonly string[]): string | null {
  const begin = lines.findLastIndex((line) => line.startsWith("-- ")) + 1;
  const error = lines
    .slice(begin)
    .map(errorIn)
    .findLast((found) => found !== null);
  if (error === undefined || error === null) return null;
  return error.length > QUOTE_CHARS_MAX ? `${error.slice(0, QUOTE_CHARS_MAX - 3)}...` : error;
}

/** The error that a line tells of: one of our JSON lines, the core's last words, an uncaught exception, or Postgres's. */
function errorIn(line: string): string | null {
  if (line.startsWith("{")) return errorInJson(line);
  const told = /^conflux core: (.+)/.exec(line) ?? /^Uncaught (\w*Error\b.*)/.exec(line);
  if (told !== null) return trimmed(told[1] ?? "");
  if (/^\w*Error(?: \[\w+\])?: ./.test(line)) return trimmed(line);
  const postgres = /\b(?:FATAL|PANIC|ERROR): +(.+)/.exec(line);
  return postgres === null ? null : trimmed(postgres[1] ?? "");
}

function errorInJson(line: string): string | null {
  let parsed: { level?: unknown; msg?: unknown; error?: unknown };
  try {
    parsed = JSON.parse(line) as typeof parsed;
  } catch {
    // Cut off, or nothing of ours.
    return null;
  }
  if (parsed.level !== "error") return null;
  const words = typeof parsed.error === "string" ? parsed.error : parsed.msg;
  return typeof words === "string" ? trimmed(words) : null;
}

/** Its first line, without a full stop that would stand before ours. */
const trimmed = (text: string): string | null =>
  (text.split("\n")[0] ?? "").trim().replace(/\.$/, "") || null;
