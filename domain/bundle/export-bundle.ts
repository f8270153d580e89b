import { type Refusal, refuse } from "../command/apply-verb.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import { BUNDLE_BYTES_MAX, BUNDLE_CONFIGS_MAX } from "../limits.ts";
import { type BundleRule, OWN_CONTENT } from "./bundle.ts";
import { type BundleSettings, contentHash, contentKey, readVersionOf, settingsOf } from "./bundle-digests.ts";
import { withLatest } from "./plan-config.ts";

/** A version's content, where it is to be found. Of an encrypted config only the hash leaves (K5). */
export interface ExportedVersion extends Pick<ConfigVersion, "sha256" | "format"> {
  name: string;
  isEncrypted: boolean;
}

export interface ExportedConfig extends BundleSettings {
  app: string;
  env: string;
  name: string;
  /** The latest version, named `bundle`, then the others that rules name. */
  contents: ExportedVersion[];
  releases: BundleRule[];
}

export interface ExportScope {
  tenant: string;
  app?: string | undefined;
  env?: string | undefined;
}

/** What can be done about an export that is too large: a smaller one, as long as there is any. */
function smallerThan({ app, env }: ExportScope): string {
  if (app === undefined) return env === undefined ? "name an app, or an app and an env" : "name an app, too";
  if (env === undefined) return "name an env, too";
  return "no bundle holds this env: read its configs one by one (GET /mgt/configs, and the content of their versions)";
}

/**
 * The configs of a tenant, an app or an env as entries of a bundle, in the order of their names (C13): the same for the same
 * state. Rules of running publish plans are left out, and rules name versions by content. Refuses `payload_too_large` for more
 * than BUNDLE_CONFIGS_MAX configs or BUNDLE_BYTES_MAX bytes.
 */
export function exportBundle(
  state: StateView,
  scope: ExportScope,
): { ok: true; configs: ExportedConfig[] } | Refusal {
  const { tenant, app, env } = scope;
  const tooLarge = (what: string): Refusal => refuse("payload_too_large", `${what}: ${smallerThan(scope)}`);
  const root = stateKey.configsOfTenantPrefix(tenant);
  const within = app === undefined ? "" : env === undefined ? `${app}/` : `${app}/${env}/`;
  const configs: ExportedConfig[] = [];
  let bytes = 0;
  for (const { key, value } of scanAll(state, root + within)) {
    if (env !== undefined && key.split("/")[3] !== env) continue;
    if (configs.length === BUNDLE_CONFIGS_MAX) {
      return tooLarge(`more than ${BUNDLE_CONFIGS_MAX} configs`);
    }
    const config = state.json(stateKey.config(value as string)) as Config;
    const used = versionsInUse(state, config);
    if (!config.encrypted) bytes += used.versions.reduce((sum, version) => sum + version.content_bytes, 0);
    const exported = exportConfig(config, used);
    // Schemas and rules make an answer too large as contents do.
    bytes += JSON.stringify(exported).length;
    if (bytes > BUNDLE_BYTES_MAX) return tooLarge(`more than ${BUNDLE_BYTES_MAX} bytes`);
    configs.push(exported);
  }
  return { ok: true, configs };
}

/** The latest version, then the others that a user's rules name, each content once; and which content a version has. */
function versionsInUse(
  state: StateView,
  config: Config,
): { versions: ConfigVersion[]; byId: Map<number, ConfigVersion> } {
  const { latest } = withLatest(state, config);
  const byContent = new Map([[contentKey(latest), latest]]);
  const byId = new Map<number, ConfigVersion>();
  const ids = new Set(userRules(config).map(({ version_id }) => version_id));
  for (const id of [...ids].toSorted((a, b) => a - b)) {
    const version = readVersionOf(state, config.id, id);
    if (version === undefined)
      throw new Error(`a rule of ${config.id} names version ${id}, which is missing`);
    const first = byContent.get(contentKey(version)) ?? version;
    byContent.set(contentKey(version), first);
    byId.set(id, first);
  }
  return { versions: [...byContent.values()], byId };
}

function userRules({ releases }: Config): ReleaseRule[] {
  return releases.filter((rule) => rule.publish_id === undefined);
}

function exportConfig(
  config: Config,
  { versions, byId }: { versions: readonly ConfigVersion[]; byId: ReadonlyMap<number, ConfigVersion> },
): ExportedConfig {
  const { app, env } = config.namespace;
  const [latest] = versions;
  if (latest === undefined) throw new Error(`${config.id} has no version`);
  const nameOf = (version: ConfigVersion): string =>
    version === latest ? OWN_CONTENT : `v${version.version_id}`;
  const contents = versions.map((version) => ({
    name: nameOf(version),
    sha256: contentHash(version),
    format: version.format,
    isEncrypted: config.encrypted,
  }));
  const releases = userRules(config).map(({ version_id, publish_id: _none, ...rule }): BundleRule => {
    const version = byId.get(version_id);
    return { ...rule, version: version === undefined ? version_id : nameOf(version) };
  });
  return { app, env, name: config.name, ...settingsOf(config, latest), contents, releases };
}
