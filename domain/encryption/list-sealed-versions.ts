import { scanAll, VERSIONS_PAGE } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion, SealedContent } from "../config/config.ts";
import { LIST_SCAN_MAX, REWRAP_BYTES_MAX, REWRAP_RULES_MAX, REWRAP_VERSIONS_MAX } from "../limits.ts";

/** Which configs' data keys are meant: a tenant's, one application's, one environment's, or one config's. */
export interface RewrapScope {
  tenant: string;
  app?: string | undefined;
  env?: string | undefined;
  name?: string | undefined;
}

export interface SealedVersion {
  config: Config;
  version: ConfigVersion & { sealed: SealedContent };
  /** Where to go on behind it. */
  cursor: string;
}

/** Between a name and a version; no name has it. */
const CURSOR_SEPARATOR = "@";

/**
 * Versions with a data key, in the order of names and versions, as many as one command may wrap anew; always at least one
 * while there is one, unless LIST_SCAN_MAX names were looked at in vain. The cursor is opaque; null: there are no more.
 */
export function listSealedVersions(
  state: StateView,
  { cursor, ...scope }: RewrapScope & { cursor: string | null },
): { items: SealedVersion[]; next_cursor: string | null } {
  const root = `${stateKey.configByNamePrefix}${scope.tenant}/`;
  const [startName = "", startVersion = ""] = cursor?.split(CURSOR_SEPARATOR) ?? [];
  const items: SealedVersion[] = [];
  const taken = { bytes: 0, rules: 0 };
  let last = cursor;
  let seen = 0;
  for (const { key, value } of namesFrom(state, root, scope, startName)) {
    const name = key.slice(root.length);
    if (seen === LIST_SCAN_MAX) return { items, next_cursor: last };
    seen += 1;
    const after = name === startName ? Number(startVersion) : 0;
    const config = isMeant(scope, name) ? (state.json(stateKey.config(value as string)) as Config) : null;
    if (config?.encrypted === true) {
      taken.rules += config.releases.length;
      for (const version of versionsAfter(state, config, after)) {
        taken.bytes += version.content_bytes;
        if (items.length > 0 && isFull(items, taken)) return { items, next_cursor: last };
        last = `${name}${CURSOR_SEPARATOR}${version.version_id}`;
        items.push({ config, version, cursor: last });
      }
    }
    last = `${name}${CURSOR_SEPARATOR}${Number.MAX_SAFE_INTEGER}`;
  }
  return { items, next_cursor: null };
}

/** Whether what was counted last no longer fits. */
function isFull(items: readonly SealedVersion[], taken: { bytes: number; rules: number }): boolean {
  return (
    items.length === REWRAP_VERSIONS_MAX || taken.bytes > REWRAP_BYTES_MAX || taken.rules > REWRAP_RULES_MAX
  );
}

/** The rows of names from `start` on, that one included. */
function* namesFrom(
  state: StateView,
  root: string,
  { app, env }: RewrapScope,
  start: string,
): Generator<{ key: string; value: unknown }> {
  let prefix = root;
  if (app !== undefined) prefix += env === undefined ? `${app}/` : `${app}/${env}/`;
  if (start !== "" && state.hasKey(root + start) && start.startsWith(prefix.slice(root.length)))
    yield { key: root + start, value: state.json(root + start) };
  yield* scanAll(state, prefix, start === "" ? undefined : root + start);
}

function isMeant(scope: RewrapScope, name: string): boolean {
  const [app, env, own] = name.split("/");
  return (
    (scope.app ?? app) === app &&
    (scope.env ?? env) === env &&
    (scope.name === undefined || scope.name === own)
  );
}

function* versionsAfter(
  state: StateView,
  config: Config,
  after: number,
): Generator<ConfigVersion & { sealed: SealedContent }> {
  const start = after === 0 ? undefined : stateKey.version(config.id, after);
  for (const { value } of scanAll(state, stateKey.versionPrefix(config.id), start, VERSIONS_PAGE)) {
    const version = value as ConfigVersion;
    if (version.sealed !== undefined) yield { ...version, sealed: version.sealed };
  }
}
