import type { Config, ConfigVersion } from "../config/config.ts";
import { checkRemovedRanges } from "../retention/check-removed-invariants.ts";
import { readRemovedRanges } from "../retention/removed-versions.ts";
import { stateKey, type StateView } from "./state-view.ts";

/**
 * What must hold of a few configs (R11), for a node in production: of `limit` configs after `cursor` in the order of their
 * keys; null begins at the first. Answers one sentence for each thing that does not hold, and where to go on. Its work
 * is bounded by `limit` and the rules of a config; what takes counting is left to `checkInvariants`.
 */
export function sampleInvariants(
  state: StateView,
  { cursor, limit }: { cursor: string | null; limit: number },
): { wrong: string[]; next: string | null } {
  const wrong: string[] = [];
  const rows = [...state.scan("c/", { limit, ...(cursor === null ? {} : { after: cursor }) })];
  for (const { value } of rows) sampleConfig(state, value as Config, wrong);
  return { wrong, next: rows.length < limit ? null : (rows.at(-1)?.key ?? null) };
}

function sampleConfig(state: StateView, config: Config, wrong: string[]): void {
  const { id, namespace, name, latest_version_id: latest, releases } = config;
  const { tenant, app, env } = namespace;
  for (const versionId of new Set([latest, ...releases.map(({ version_id }) => version_id)])) {
    const version = state.json(stateKey.version(id, versionId)) as ConfigVersion | undefined;
    if (version === undefined) {
      wrong.push(`${id}: version ${versionId} is missing`);
      continue;
    }
    const { sha256 } = version;
    if (config.encrypted !== (version.sealed !== undefined))
      wrong.push(`${id}: version ${versionId} is not sealed as its config says`);
    if (!state.hasKey(stateKey.blob(tenant, sha256)) || !state.hasKey(stateKey.blobRefs(tenant, sha256)))
      wrong.push(`${id}: the bytes of version ${versionId} are missing or not counted`);
  }
  wrong.push(...checkRemovedRanges(config, readRemovedRanges(state, id)));
  if (state.hasKey(stateKey.version(id, latest + 1))) wrong.push(`${id}: a version past the latest`);
  if (state.json(stateKey.configByName(tenant, app, env, name)) !== id)
    wrong.push(`${id} is not found by its name`);
  if (state.hasKey(stateKey.deletedConfig(id))) wrong.push(`${id} lives and has a tombstone`);
}
