import type { FieldError } from "../command/command-error.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import type { BundleConfig, BundlePlan, BundlePlanItem } from "./bundle.ts";
import type { VersionContent } from "./bundle-digests.ts";
import type { BundleMark } from "./bundle-mark.ts";

/** A version that applying makes. */
export interface FreshVersion extends VersionContent {
  versionId: number;
  attachment: number;
  path: string;
}

/** What applying writes of one entry. */
export interface ConfigWork {
  wanted: BundleConfig;
  existing: { config: Config; latest: ConfigVersion } | null;
  fresh: FreshVersion[];
  /** Null: the rules stay. */
  releases: ReleaseRule[] | null;
  mark: BundleMark;
}

/** What applying a bundle to a state would do, or what is wrong with the bundle itself. */
export type PlannedBundle =
  | { ok: true; plan: BundlePlan; work: { item: BundlePlanItem; config: ConfigWork | null }[] }
  | { ok: false; errors: FieldError[] };
