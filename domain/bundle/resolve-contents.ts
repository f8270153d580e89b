import type { FieldError } from "../command/command-error.ts";
import { scanAll, VERSIONS_PAGE } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { type BundleConfig, type BundleContent, OWN_CONTENT } from "./bundle.ts";
import { contentKey, readVersionOf, type VersionContent } from "./bundle-digests.ts";
import type { FreshVersion } from "./planned-bundle.ts";

export interface ResolvedContents {
  /** The version of each name that a rule may use. */
  versionByName: Map<string, number>;
  /** In the order of their numbers; the entry's own content is the last, and so the latest version. */
  fresh: FreshVersion[];
}

/**
 * Which versions the contents of an entry are: one that is there when it holds the same bytes in the same format, else a
 * new one. The entry's own content is the latest version afterwards, unless it came as a hash alone.
 */
export function resolveContents(input: {
  state: StateView;
  path: string;
  wanted: BundleConfig;
  existing: { config: Config; latest: ConfigVersion } | null;
  errors: FieldError[];
}): ResolvedContents {
  const { state, path, wanted, existing, errors } = input;
  const find = existing === null ? () => null : finder(state, existing);
  const missing: FreshVersion[] = [];
  const versionByName = new Map<string, number>();
  const first = (existing?.config.latest_version_id ?? 0) + 1;
  const take = (content: BundleContent, more: VersionContent & { path: string }): number => {
    if (content.attachment === null) {
      errors.push({
        path: `${more.path}/content_hash`,
        message: "no version of this config has this content",
      });
      return 0;
    }
    const versionId = first + missing.length;
    missing.push({ ...more, versionId, attachment: content.attachment });
    return versionId;
  };
  const own = { sha256: wanted.content.sha256, format: wanted.format };
  for (const [i, { name, format, content }] of wanted.versions.entries()) {
    const at = `${path}/versions/${i}`;
    const isOwn = contentKey(own) === contentKey({ sha256: content.sha256, format });
    if (name === OWN_CONTENT || versionByName.has(name)) {
      const message = name === OWN_CONTENT ? "means the entry's own content" : "the same name twice";
      errors.push({ path: `${at}/name`, message });
    }
    if (isOwn) errors.push({ path: at, message: `is the entry's own content; rules name it ${OWN_CONTENT}` });
    const key = { sha256: content.sha256, format };
    versionByName.set(name, find(key) ?? take(content, { ...key, path: at }));
  }
  versionByName.set(OWN_CONTENT, resolveOwn());
  return { versionByName, fresh: missing };

  function resolveOwn(): number {
    if (wanted.content.attachment === null) return find(own) ?? take(wanted.content, { ...own, path });
    const latest = existing?.latest;
    const isLatest =
      latest !== undefined &&
      missing.length === 0 &&
      contentKey(latest) === contentKey(own) &&
      (latest.schema === null || latest.schema === wanted.schema);
    return isLatest ? latest.version_id : take(wanted.content, { ...own, path });
  }
}

/** Finds the newest version with a content: among those in use first, since a config may have very many. */
function finder(
  state: StateView,
  { config, latest }: { config: Config; latest: ConfigVersion },
): (content: VersionContent) => number | null {
  let all: Map<string, number> | null = null;
  const used = new Map<string, number>();
  for (const id of [...new Set(config.releases.map(({ version_id }) => version_id))].toSorted(
    (a, b) => a - b,
  )) {
    const version = readVersionOf(state, config.id, id);
    if (version !== undefined) used.set(contentKey(version), id);
  }
  used.set(contentKey(latest), latest.version_id);
  return (content) => {
    const key = contentKey(content);
    const inUse = used.get(key);
    if (inUse !== undefined) return inUse;
    all ??= readAll(state, config.id);
    return all.get(key) ?? null;
  };
}

/** Numbers alone: together the schemas of many versions are more than a node has memory. */
function readAll(state: StateView, configId: string): Map<string, number> {
  const all = new Map<string, number>();
  for (const { value } of scanAll(state, stateKey.versionPrefix(configId), undefined, VERSIONS_PAGE)) {
    const version = value as ConfigVersion;
    all.set(contentKey(version), version.version_id);
  }
  return all;
}
