import type { ConfigChanged } from "../../domain/command/feed-entry.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";

/** Versions that the rules of a config name in turn. */
const VERSIONS_MAX = 2;
const NAME = /^demo\/bench\/prod\/r(\d{1,5})-b(\d{1,7})-(\d{1,7})$/;

/** What a client of the benchmark claims: the second rule of every config that has one wants the first two. */
export const BENCH_LABELS: Readonly<Record<string, string>> = {
  canary: "true",
  ip: "10.0.0.1",
  device: "tablet",
};

export interface BenchContent {
  version_id: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/** The name of config `n` of its kind: so many rules, contents of so many bytes. */
export const benchConfigName = (kind: { rules: number; bytes: number }, n: number): string =>
  `demo/bench/prod/r${kind.rules}-b${kind.bytes}-${n}`;

/** The JSON of `bytes` bytes that a version of config `n` holds. */
export function benchContent(bytes: number, n: number, versionId: number): string {
  const start = `{"n":${n},"version":${versionId},"text":"`;
  return `${start.padEnd(bytes - 2, "conflux ")}"}`;
}

/** What the feed would tell of the config of this name (its variants aside), and its contents; null for another name. */
export function benchConfigEvent(
  fullName: string,
): { event: Omit<ConfigChanged, "variants">; contents: BenchContent[] } | null {
  const match = NAME.exec(fullName);
  if (match === null) return null;
  const [rules, bytes, n] = match.slice(1).map(Number) as [number, number, number];
  const versions = Math.min(rules, VERSIONS_MAX);
  const name = fullName.slice(fullName.lastIndexOf("/") + 1);
  return {
    event: {
      type: "config_changed",
      config_id: name,
      namespace: { tenant: "demo", app: "bench", env: "prod" },
      name,
      encrypted: false,
      latest_version_id: versions,
      releases: Array.from({ length: rules }, (_, i) => ruleAt(i, versions)),
    },
    contents: Array.from({ length: versions }, (_, i) => ({
      version_id: i + 1,
      bytes: new Uint8Array(new TextEncoder().encode(benchContent(bytes, n, i + 1))),
    })),
  };
}

/** The default rule, then one for each address. */
function ruleAt(i: number, versions: number): ReleaseRule {
  const labels: Record<string, string> = i === 0 ? {} : { canary: "true", ip: `10.0.${i >> 8}.${i & 255}` };
  return { labels, version_id: (i % versions) + 1, priority: i === 0 ? 0 : 10 };
}
