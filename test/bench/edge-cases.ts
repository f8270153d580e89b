import { benchConfigName } from "../workers/bench-config.ts";

/** Configs that the clients of a case ask for. */
const HOT_CONFIGS = 1_000;
const MANY_CONFIGS = 100_000;
const KIB = 1024;

export interface EdgeCase {
  name: string;
  /** Which of our two isolates: one that has seen few configs, or one that has seen MANY_CONFIGS. */
  isolate: "few" | "many";
  paths: readonly string[];
  /** Of a content: what the peer answers too. */
  bytes: number;
  /** Whether clients have the content already. */
  isKnown: boolean;
  /** Whether latency at a fixed rate is measured, besides the rate at saturation. */
  isTimed: boolean;
  /** Whether every answer must come from memory. */
  isHit: boolean;
}

const pathOf = (name: string): string => `/api/v1/fetch/config/${name}`;

function edgeCase(
  name: string,
  { rules = 10, bytes = 2 * KIB, ...rest }: { rules?: number; bytes?: number } & Partial<EdgeCase> = {},
): EdgeCase {
  const paths = [pathOf(benchConfigName({ rules, bytes }, 0))];
  return { name, isolate: "few", paths, bytes, isKnown: false, isTimed: true, isHit: true, ...rest };
}

/** `count` of MANY_CONFIGS configs, evenly spread. */
const spread = (count: number): string[] =>
  Array.from({ length: count }, (_, i) =>
    pathOf(benchConfigName({ rules: 10, bytes: 2 * KIB }, i * (MANY_CONFIGS / count))),
  );

/** The peer has one route. */
export const PEER_PATH = pathOf(benchConfigName({ rules: 10, bytes: 2 * KIB }, 0));

export const EDGE_CASES: readonly EdgeCase[] = [
  edgeCase("hit 2KB 10 rules"),
  edgeCase("not modified", { isKnown: true }),
  edgeCase("hit 1 rule", { rules: 1, isTimed: false }),
  edgeCase("hit 100 rules", { rules: 100, isTimed: false }),
  edgeCase("hit 10000 rules", { rules: 10_000 }),
  edgeCase("hit 100KB", { bytes: 100 * KIB }),
  edgeCase("1k configs", { paths: spread(HOT_CONFIGS), isTimed: false }),
  edgeCase("100k configs", { isolate: "many", paths: spread(HOT_CONFIGS) }),
  edgeCase("miss, 100k configs in turn", {
    isolate: "many",
    paths: spread(MANY_CONFIGS),
    isTimed: false,
    isHit: false,
  }),
];
