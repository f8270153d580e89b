/** A figure as `npm run bench -- --json` prints it (docs/benchmarks.md): min, median and max over `runs` runs. */
export interface Figure {
  bench: string;
  case: string;
  system: string;
  metric: string;
  unit: string;
  min: number;
  median: number;
  max: number;
  runs: number;
}

/** The q-quantile (0..1) of samples by the nearest-rank method; samples must not be empty. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
  if (value === undefined) throw new RangeError("quantile of no samples");
  return value;
}

/** Folds one value a run into a figure. */
export function figure(
  key: Pick<Figure, "bench" | "case" | "system" | "metric" | "unit">,
  perRun: readonly number[],
): Figure {
  const round = (n: number): number => Number(n.toPrecision(4));
  return {
    ...key,
    min: round(Math.min(...perRun)),
    median: round(quantile(perRun, 0.5)),
    max: round(Math.max(...perRun)),
    runs: perRun.length,
  };
}

/** Figures as an aligned table, in the order given. */
export function formatTable(figures: readonly Figure[]): string {
  const rows = [
    ["bench", "case", "system", "metric", "min", "median", "max", "runs"],
    ...figures.map((f) => [
      f.bench,
      f.case,
      f.system,
      `${f.metric} (${f.unit})`,
      String(f.min),
      String(f.median),
      String(f.max),
      String(f.runs),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
