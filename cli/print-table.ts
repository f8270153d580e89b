import { styleText } from "node:util";
import type { CliIo } from "./cli-io.ts";

export type Colour = "green" | "yellow" | "red" | "dim" | "bold";

/** Coloured on a terminal (and not where NO_COLOR is set), plain in a pipe. */
export function paint(io: CliIo, colour: Colour, text: string): string {
  const isPlain = !io.isTerminal || (io.env["NO_COLOR"] ?? "") !== "";
  return isPlain ? text : styleText(colour, text, { validateStream: false });
}

/** Columns as wide as their widest cell; `colours` paints a whole cell after it was measured. */
export function printTable(
  io: CliIo,
  heads: readonly string[],
  rows: readonly (readonly { text: string; colour?: Colour }[])[],
): void {
  const widths = heads.map((head, i) =>
    Math.max(head.length, ...rows.map((row) => row[i]?.text.length ?? 0)),
  );
  const line = (cells: readonly { text: string; colour?: Colour }[]): string =>
    cells
      .map(({ text, colour }, i) => {
        const padded = i === heads.length - 1 ? text : text.padEnd(widths[i] ?? 0);
        return colour === undefined ? padded : paint(io, colour, padded);
      })
      .join("  ")
      .trimEnd();
  io.out(line(heads.map((text) => ({ text, colour: "bold" as const }))));
  for (const row of rows) io.out(line(row));
}
