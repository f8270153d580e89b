import type { FieldError } from "../command/command-error.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { readConfigByName } from "../config/read-configs.ts";
import { findRunningPublish } from "../publish/find-publish.ts";
import { checkRules } from "../release-rule/check-rules.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import { sayMissingVersion } from "../retention/removed-versions.ts";
import { type BundleConfig, type BundleField, type BundlePlanItem, type BundleRequest } from "./bundle.ts";
import type { BundleMark } from "./bundle-mark.ts";
import {
  contentKey,
  digestOf,
  readVersionOf,
  rulesText,
  settingsOf,
  settingsText,
  type VersionContent,
} from "./bundle-digests.ts";
import type { ConfigWork, FreshVersion } from "./planned-bundle.ts";
import { resolveContents, type ResolvedContents } from "./resolve-contents.ts";

export interface PlannedConfig {
  item: BundlePlanItem;
  work: ConfigWork;
  warnings: string[];
}
type Asked = Omit<BundleRequest, "configs">;

/** One entry of a bundle against the state: what it would write, and what stands against it. Adds what is wrong to `errors`. */
export function planConfig(input: {
  state: StateView;
  tenant: string;
  asked: Asked;
  position: number;
  wanted: BundleConfig;
  errors: FieldError[];
}): PlannedConfig {
  const { state, tenant, asked, position, wanted, errors } = input;
  const path = `/configs/${position}`;
  const existing = findExisting(state, tenant, wanted);
  if (existing?.config.encrypted === true) refuseContents(wanted, path, errors);
  const contents = resolveContents({ state, path, wanted, existing, errors });
  if (wanted.content.attachment === null && existing !== null)
    refuseOwnSchema(wanted, existing.latest, path, errors);
  const { rules, warnings } = resolveRules(state, { wanted, existing, contents, path, errors });
  const parts = compareParts(state, { wanted, existing, contents, rules });
  const mark: BundleMark = { id: asked.bundle_id, ...parts.wanted };
  const before = existing?.config.bundle;
  const changes: BundlePlanItem["changes"] = parts.changes;
  if (JSON.stringify(before) !== JSON.stringify(mark)) changes.push("owner");
  const drift = before?.id === asked.bundle_id ? findDrift(before, parts.now()) : [];
  const { app, env, name } = wanted;
  const item: BundlePlanItem = {
    position,
    app,
    env,
    name,
    config_id: existing?.config.id ?? null,
    revision: existing?.config.revision ?? null,
    action: existing === null ? "create" : changes.length > 0 ? "update" : "unchanged",
    changes,
    drift,
    blocked: null,
  };
  const releases = changes.includes("releases") ? rules : null;
  item.blocked = existing === null ? null : whyBlocked(state, { asked, item, config: existing.config });
  return { item, work: { wanted, existing, fresh: contents.fresh, releases, mark }, warnings };
}

function findExisting(
  state: StateView,
  tenant: string,
  { app, env, name }: BundleConfig,
): ConfigWork["existing"] {
  const found = readConfigByName(state, { tenant, app, env }, name);
  if (!found.ok) return null;
  return withLatest(state, found.config);
}

/** Throws when the latest version is missing: a broken invariant. */
export function withLatest(state: StateView, config: Config): { config: Config; latest: ConfigVersion } {
  const latest = readVersionOf(state, config.id, config.latest_version_id);
  if (latest === undefined) throw new Error(`${config.id}: the latest version is missing`);
  return { config, latest };
}

/** What is encrypted is in no bundle: its contents stay as they are (K5). */
function refuseContents(wanted: BundleConfig, path: string, errors: FieldError[]): void {
  const message = "the config is encrypted: a bundle names its contents by content_hash and never has them";
  if (wanted.content.attachment !== null) errors.push({ path: `${path}/content`, message });
  for (const [i, { content }] of wanted.versions.entries())
    if (content.attachment !== null) errors.push({ path: `${path}/versions/${i}/content`, message });
}

/** Without a content of its own an entry makes no version, and a version that is there keeps its schema. */
function refuseOwnSchema(
  wanted: BundleConfig,
  latest: ConfigVersion,
  path: string,
  errors: FieldError[],
): void {
  if (latest.format !== wanted.format) {
    errors.push({ path: `${path}/format`, message: `the latest version is ${latest.format}` });
  }
  if (latest.schema !== null && latest.schema !== wanted.schema) {
    errors.push({ path: `${path}/schema`, message: "the latest version has another schema of its own" });
  }
}

/** The rules as they are to be stored; null when the bundle has none to say. */
function resolveRules(
  state: StateView,
  input: Pick<ConfigWork, "wanted" | "existing"> & {
    contents: ResolvedContents;
    path: string;
    errors: FieldError[];
  },
): { rules: ReleaseRule[] | null; warnings: string[] } {
  const { wanted, existing, contents, path, errors } = input;
  if (wanted.releases === null) return { rules: null, warnings: [] };
  const unknown: FieldError[] = [];
  const rules = wanted.releases.map(({ version, ...rule }, i): ReleaseRule => {
    const id = typeof version === "number" ? version : contents.versionByName.get(version);
    if (id === undefined) {
      const message = `no content of this name; there are ${[...contents.versionByName.keys()].join(", ")}`;
      unknown.push({ path: `${path}/releases/${i}/version`, message });
    }
    return { ...rule, version_id: id ?? 0 };
  });
  const fresh = new Set(contents.fresh.map(({ versionId }) => versionId));
  const isKnown = (id: number): boolean =>
    // What is missing has been told of where it is named.
    id === 0 ||
    fresh.has(id) ||
    (existing !== null && state.hasKey(stateKey.version(existing.config.id, id)));
  const checked = checkRules({
    rules,
    pathPrefix: `${path}/releases`,
    versionExists: isKnown,
    sayMissing: (id) => sayMissingVersion(state, existing?.config.id ?? "", id),
  });
  errors.push(...unknown);
  // In a bundle the field has another name.
  const named = (error: FieldError): FieldError => ({
    ...error,
    path: error.path.replace(/\/version_id$/, "/version"),
  });
  if (!checked.ok) errors.push(...checked.errors.map(named));
  if (!checked.ok) return { rules, warnings: [] };
  const of = `${wanted.app}/${wanted.env}/${wanted.name}`;
  return { rules: checked.rules, warnings: checked.warnings.map((warning) => `${of}: ${warning}`) };
}

interface Parts {
  wanted: Omit<BundleMark, "id">;
  changes: BundlePlanItem["changes"];
  now: () => Omit<BundleMark, "id">;
}

function compareParts(
  state: StateView,
  {
    wanted,
    existing,
    contents,
    rules,
  }: Pick<ConfigWork, "wanted" | "existing"> & {
    contents: ResolvedContents;
    rules: ReleaseRule[] | null;
  },
): Parts {
  const { format, schema, description, retention } = wanted;
  const wantedSettings = settingsText({ format, schema, description, retention });
  const reader = contentReader(state, existing?.config ?? null, contents.fresh);
  const wantedRules = rules === null ? null : rulesText(rules, reader);
  const isOwn = wanted.content.attachment !== null;
  const digests = {
    content: isOwn ? contentKey({ sha256: wanted.content.sha256, format }) : null,
    settings: digestOf(wantedSettings),
    releases: wantedRules === null ? null : digestOf(wantedRules),
  };
  const settings = existing === null ? null : settingsText(settingsOf(existing.config, existing.latest));
  const releases = existing === null ? null : rulesText(existing.config.releases, reader);
  const changes: BundleField[] = [];
  if (contents.fresh.length > 0) changes.push("content");
  if (settings !== wantedSettings) changes.push("settings");
  const hadNone = existing === null && rules?.length === 0;
  if (wantedRules !== null && releases !== wantedRules && !hadNone) changes.push("releases");
  return {
    wanted: digests,
    changes,
    now: () => partsNow(state, existing),
  };
}

function partsNow(state: StateView, existing: ConfigWork["existing"]): Omit<BundleMark, "id"> {
  if (existing === null) return { content: null, settings: "", releases: null };
  return partsOf(state, existing);
}

/** The parts of a config as they are, by hash. */
export function partsOf(
  state: StateView,
  { config, latest }: { config: Config; latest: ConfigVersion },
): Omit<BundleMark, "id"> {
  return {
    content: contentKey(latest),
    settings: digestOf(settingsText(settingsOf(config, latest))),
    releases: digestOf(rulesText(config.releases, contentReader(state, config, []))),
  };
}

/** What a config is not as the bundle `mark` left it in. */
export function findDrift(mark: BundleMark, now: Omit<BundleMark, "id">): BundleField[] {
  const parts: BundleField[] = ["content", "settings", "releases"];
  return parts.filter((part) => mark[part] !== null && mark[part] !== now[part]);
}

function contentReader(
  state: StateView,
  config: Config | null,
  fresh: readonly FreshVersion[],
): (versionId: number) => VersionContent | undefined {
  const known = new Map<number, VersionContent | undefined>(
    fresh.map((version) => [version.versionId, version]),
  );
  return (versionId) => {
    if (!known.has(versionId) && config !== null)
      known.set(versionId, readVersionOf(state, config.id, versionId));
    return known.get(versionId);
  };
}

function whyBlocked(
  state: StateView,
  { asked, item, config }: { asked: Asked; item: BundlePlanItem; config: Config },
): BundlePlanItem["blocked"] {
  const owner = config.bundle?.id;
  if (owner !== asked.bundle_id && !asked.adopt) {
    const who = owner === undefined ? "no bundle owns it" : `the bundle ${owner} owns it`;
    return { code: "conflict", reason: `${who}; adopt=true takes it over` };
  }
  const lost = item.drift.filter((part) => item.changes.includes(part));
  return (
    whyLost(lost, asked) ?? (item.changes.includes("releases") ? whyRunning(state, config, asked) : null)
  );
}

/** Why what was changed by hand stands against a write. */
export function whyLost(lost: readonly BundleField[], { force }: Asked): BundlePlanItem["blocked"] {
  if (lost.length === 0 || force) return null;
  const reason = `changed by hand since the last apply: ${lost.join(", ")}; force=true overwrites it`;
  return { code: "conflict", reason };
}

/** Why a running plan stands against a change of the rules it is part of. */
export function whyRunning(
  state: StateView,
  config: Config,
  { abort_plan }: Asked,
): BundlePlanItem["blocked"] {
  const running = findRunningPublish(state, config.id);
  if (running === null || abort_plan) return null;
  return { code: "publish_running", reason: `publish ${running.id} runs; abort_plan=true ends it` };
}
