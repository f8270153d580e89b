import { scanAll, VERSIONS_PAGE } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { sealedSecretAt } from "../gray-config/gray-content.ts";
import { grayKindOf } from "../gray-config/gray-kind.ts";
import { type EnvelopeLook, type EnvelopePlace, isMeant, type RewrapScope } from "./envelope-place.ts";
import { envelopeHead, identityOf } from "./envelope-text.ts";

/** Between a name and a version; no name has it. */
const CURSOR_SEPARATOR = "@";

/** The envelopes of versions behind `cursor`, in the order of names and versions. */
export function* walkVersionEnvelopes(
  state: StateView,
  scope: RewrapScope,
  cursor: string | null,
): Generator<EnvelopeLook> {
  const root = `${stateKey.configByNamePrefix}${scope.tenant}/`;
  const [startName = "", startVersion = ""] = cursor?.split(CURSOR_SEPARATOR) ?? [];
  for (const { key, value } of namesFrom(state, root, scope, startName)) {
    const named = key.slice(root.length);
    const [app = "", env = "", name = ""] = named.split("/");
    const at = (version: number): string => `${named}${CURSOR_SEPARATOR}${version}`;
    if (isMeant(scope, { app, env, name })) {
      const config = state.json(stateKey.config(value as string)) as Config;
      let rules = config.releases.length;
      for (const version of versionsFrom(state, config, named === startName ? Number(startVersion) : 0)) {
        const place = placeOf(state, config, version);
        yield { cursor: at(version.version_id), place, bytes: version.content_bytes, rules };
        rules = 0;
      }
    }
    yield { cursor: at(Number.MAX_SAFE_INTEGER), place: null };
  }
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

/** The versions behind one of a config whose versions may have envelopes. */
function* versionsFrom(state: StateView, config: Config, after: number): Generator<ConfigVersion> {
  if (!config.encrypted && grayKindOf(config.namespace) === null) return;
  const start = after === 0 ? undefined : stateKey.version(config.id, after);
  for (const { value } of scanAll(state, stateKey.versionPrefix(config.id), start, VERSIONS_PAGE))
    yield value as ConfigVersion;
}

function placeOf(
  state: StateView,
  { id, namespace, name }: Config,
  { version_id, sha256, sealed }: ConfigVersion,
): EnvelopePlace | null {
  const found = { sha256, identity: identityOf(namespace, name) };
  const version = { config_id: id, version_id };
  if (sealed !== undefined) return { ...found, owner: { of: "version", ...version }, at: 0 };
  const bytes = state.bytes(stateKey.blob(namespace.tenant, sha256));
  const at = bytes === undefined ? null : sealedSecretAt(namespace, bytes);
  if (bytes === undefined || at === null || envelopeHead(bytes, at) === null) return null;
  return { ...found, owner: { of: "part", ...version }, at };
}
