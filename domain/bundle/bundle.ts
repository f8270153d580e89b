import type { ConfigFormat, Retention } from "../config/config.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";

/** The word by which a rule of a bundle names the content of its own entry. */
export const OWN_CONTENT = "bundle";

/** A content of a bundle: bytes that come along, or (`attachment: null`) those of a version that is there. */
export interface BundleContent {
  attachment: number | null;
  /** SHA-256 of the content, lower-case hex. */
  sha256: string;
}

/** A content beside the entry's own, for rules that name it. */
export interface BundleVersion {
  name: string;
  format: ConfigFormat;
  content: BundleContent;
}

/** A release rule that names its version by content (a name of the entry's, or `bundle`), or by number. */
export type BundleRule = Omit<ReleaseRule, "version_id" | "publish_id"> & { version: string | number };

/** What a bundle says of one config. */
export interface BundleConfig {
  app: string;
  env: string;
  name: string;
  format: ConfigFormat;
  content: BundleContent;
  schema: string | null;
  description: string;
  retention: Retention | null;
  versions: BundleVersion[];
  /** Null: whatever rules the config has stay, and are none of the bundle's business. */
  releases: BundleRule[] | null;
}

/** What is asked for: the configs, and how far it may go. */
export interface BundleRequest {
  bundle_id: string;
  configs: BundleConfig[];
  /** Delete configs that this bundle owns and no longer has. */
  prune: boolean;
  /** Take over configs that this bundle does not own. */
  adopt: boolean;
  /** Overwrite what was changed by hand. */
  force: boolean;
  /** End running publish plans. */
  abort_plan: boolean;
}

/** The parts of a config that a bundle sets, each compared for itself. `settings`: format, schema, description, retention. */
export const BUNDLE_FIELDS = ["content", "settings", "releases"] as const;
export type BundleField = (typeof BUNDLE_FIELDS)[number];

export const BUNDLE_ACTIONS = ["create", "update", "unchanged", "delete", "orphan"] as const;
export type BundleAction = (typeof BUNDLE_ACTIONS)[number];

/** What applying does, or would do, to one config. */
export interface BundlePlanItem {
  /** In the bundle's list; null for a config that the bundle owns and no longer has. */
  position: number | null;
  app: string;
  env: string;
  name: string;
  config_id: string | null;
  /** Of the config as it was planned for; null: it is not there. */
  revision: number | null;
  action: BundleAction;
  /** What is written; `owner`: the bundle takes the config over, or notes that it is as the bundle wants it. */
  changes: (BundleField | "owner")[];
  /** What was changed by hand since the bundle was last applied. */
  drift: BundleField[];
  /** Why it cannot be done as asked; null: nothing stands against it. */
  blocked: { code: "conflict" | "publish_running"; reason: string } | null;
}

/** What the tenant's rules of changes hold against a bundle as a whole; it can be had by another way. */
export interface BundleGuard {
  code: "approval_required" | "change_frozen";
  reason: string;
}

export interface BundlePlan {
  /** Names the plan: the same only for the same request on configs of the same revisions. */
  digest: string;
  items: BundlePlanItem[];
  warnings: string[];
}
