/** Lines around a change that are shown with it. */
const CONTEXT_LINES = 3;

export interface EditedLine {
  sign: "+" | "-" | " ";
  /** With its end, if it has one. */
  line: string;
}

/** Writes edited lines as the hunks of a unified diff, as `diff -u` and `patch` know them. */
export function formatHunks(lines: readonly EditedLine[]): string {
  const out: string[] = [];
  let [oldLine, newLine, done] = [1, 1, 0];
  for (const [first, last] of hunkRanges(lines)) {
    for (const { sign } of lines.slice(done, first)) {
      if (sign !== "+") oldLine++;
      if (sign !== "-") newLine++;
    }
    const hunk = lines.slice(first, last);
    const [removed, added] = [
      hunk.filter((l) => l.sign !== "+").length,
      hunk.filter((l) => l.sign !== "-").length,
    ];
    out.push(`@@ -${range(oldLine, removed)} +${range(newLine, added)} @@\n`);
    for (const { sign, line } of hunk) {
      out.push(sign, line);
      if (!line.endsWith("\n")) out.push("\n\\ No newline at end of file\n");
    }
    oldLine += removed;
    newLine += added;
    done = last;
  }
  return out.join("");
}

/** Changes with their surroundings, those that touch joined; the end of each is exclusive. */
function hunkRanges(lines: readonly EditedLine[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const [i, { sign }] of lines.entries()) {
    if (sign === " ") continue;
    const [first, last] = [Math.max(0, i - CONTEXT_LINES), Math.min(lines.length, i + CONTEXT_LINES + 1)];
    const open = ranges.at(-1);
    if (open !== undefined && first <= open[1]) open[1] = last;
    else ranges.push([first, last]);
  }
  return ranges;
}

/** An empty side is named by the line before it. */
function range(first: number, count: number): string {
  if (count === 1) return String(first);
  return `${count === 0 ? first - 1 : first},${count}`;
}
