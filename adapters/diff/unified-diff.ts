import { diffArrays } from "diff";
import {
  DIFF_ANSWER_CHARACTERS_MAX,
  DIFF_EDITS_MAX,
  DIFF_LINES_MAX,
  DIFF_STEPS_MAX,
} from "../../contracts/limits.ts";
import { type EditedLine, formatHunks } from "./format-hunks.ts";

/** Characters of two lines of one length that are compared in one step. */
const CHARACTERS_A_STEP = 64;

export interface NamedText {
  /** How the diff's head names it. */
  name: string;
  text: string;
}

class TooManySteps extends Error {
  override readonly name = "TooManySteps";
}

/**
 * The unified diff of two texts, empty for equal ones. Null when it would be too large or take too long to find: over
 * `DIFF_LINES_MAX`, `DIFF_EDITS_MAX`, `DIFF_STEPS_MAX` or `DIFF_ANSWER_CHARACTERS_MAX`. Steps are counted, not timed,
 * so that the same two texts have the same answer everywhere.
 */
export function unifiedDiff(from: NamedText, to: NamedText): string | null {
  if (from.text === to.text) return "";
  if (countLines(from.text) > DIFF_LINES_MAX || countLines(to.text) > DIFF_LINES_MAX) return null;
  const lines = editedLines(splitLines(from.text), splitLines(to.text));
  if (lines === null) return null;
  const diff = `--- ${from.name}\n+++ ${to.name}\n${formatHunks(lines)}`;
  return diff.length > DIFF_ANSWER_CHARACTERS_MAX ? null : diff;
}

function editedLines(from: string[], to: string[]): EditedLine[] | null {
  try {
    const changes = diffArrays(from, to, { maxEditLength: DIFF_EDITS_MAX, comparator: countingComparator() });
    if (changes === undefined) return null;
    return changes.flatMap(({ value, added, removed }) => {
      const sign = added ? "+" : removed ? "-" : " ";
      return value.map((line): EditedLine => ({ sign, line }));
    });
  } catch (error) {
    if (error instanceof TooManySteps) return null;
    throw error;
  }
}

function countingComparator(): (a: string, b: string) => boolean {
  let left = DIFF_STEPS_MAX;
  return (a, b) => {
    left -= a.length === b.length ? 1 + a.length / CHARACTERS_A_STEP : 1;
    if (left < 0) throw new TooManySteps();
    return a === b;
  };
}

/** The lines with their ends, so that another end is another line. */
function splitLines(text: string): string[] {
  return text === "" ? [] : text.split(/(?<=\n)/);
}

function countLines(text: string): number {
  let lines = 1;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}
