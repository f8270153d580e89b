/** What a user believes the system holds: content by version, and rules as [label, version]. */
export interface ModelConfig {
  /** Null: removed by the retention. */
  versions: (string | null)[];
  /** Those that a user wrote. */
  rules: { label: string; version: number }[];
  /** The plan that runs. */
  plan: ModelPlan | null;
  /** Versions that a plan has replaced. */
  deprecated: number[];
  /** How many versions are to be kept; null: all. */
  keeps: number | null;
  /** What its bundle last applied. */
  bundled: string | null;
  /** What its open change requests ask for, by id. */
  asked: Record<string, number>;
}
export interface ModelPlan {
  version: number;
  /** What the default rule named before. */
  previous: number | null;
  stage: number;
  stages: number;
  /** Whether its stages bake for BAKE_MS, or wait for a hand. */
  bakes: boolean;
  startedAtMs: number;
  pausedMs: number;
  pausedAtMs: number | null;
  on_timeout: "abort" | "resume";
}
export const emptyConfig = (): ModelConfig => ({
  versions: [],
  rules: [],
  plan: null,
  deprecated: [],
  keeps: null,
  bundled: null,
  asked: {},
});

export function isThere({ versions }: ModelConfig, version: number): boolean {
  return (versions[version - 1] ?? null) !== null;
}

/** What is asked to be removed goes, when enough newer ones are there and nothing names it. */
export function stepPrune(config: ModelConfig, asked: readonly number[]): boolean {
  const { versions, rules, plan, bundled } = config;
  const named = [
    ...rules.map((r) => r.version),
    plan?.version,
    plan?.previous,
    ...Object.values(config.asked),
  ];
  const newest = versions.flatMap((text, i) => (text === null ? [] : [i + 1])).toReversed();
  const kept = newest.slice(0, config.keeps ?? newest.length);
  const isBundled = (version: number): boolean =>
    versions.at(-1) !== bundled && versions[version - 1] === bundled;
  const gone = asked.filter(
    (version) => isThere(config, version) && ![...named, ...kept].includes(version) && !isBundled(version),
  );
  config.versions = versions.map((text, i) => (gone.includes(i + 1) ? null : text));
  config.deprecated = config.deprecated.filter((version) => !gone.includes(version));
  return true;
}
