import type { BundleConfig } from "../bundle/bundle.ts";
import { contentKey } from "../bundle/bundle-digests.ts";
import type { ChangeRequest } from "../change-request/change-request.ts";
import { hasExpired } from "../change-request/find-change.ts";
import type { ChangeRow } from "../change-request/write-change.ts";
import type { ChangeOperation } from "../command/command.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config } from "../config/config.ts";

/** What open change requests need of a config's versions: those of these numbers, and those that have these contents. */
export interface AskedVersions {
  ids: Set<number>;
  /** By `contentKey`: a bundle names a content, and takes whichever version has it. */
  contents: Set<string>;
}

/**
 * The versions of a config that open change requests name (C10), those of several configs as well: without them a request
 * that others have approved could be executed no more. `ofOne`: requests of one config alone, as builds before knew it.
 */
export function askedVersions(
  state: StateView,
  config: Config,
  { nowMs, ofOne }: { nowMs: number; ofOne: boolean },
): AskedVersions {
  const asked: AskedVersions = { ids: new Set(), contents: new Set() };
  for (const { value } of scanAll(state, stateKey.changeRequestByTenantPrefix(config.namespace.tenant))) {
    const row = value as ChangeRow;
    if (row.state !== "open" || hasExpired(row, nowMs)) continue;
    const request = state.json(stateKey.changeRequest(row.id)) as ChangeRequest;
    const isOfSeveral = request.targets?.some((target) => target.config_id === config.id) ?? false;
    if (request.config_id === config.id || (isOfSeveral && !ofOne)) take(asked, request.operation, config);
  }
  return asked;
}

function take({ ids, contents }: AskedVersions, { kind, payload }: ChangeOperation, config: Config): void {
  const add = (versions: readonly { version_id: number | "new" }[]): void => {
    for (const { version_id } of versions) if (version_id !== "new") ids.add(version_id);
  };
  switch (kind) {
    case "put_releases":
      add(payload.releases);
      return;
    case "rollback":
      ids.add(payload.version_id);
      return;
    case "start_publish":
      if (payload.version_id !== null) ids.add(payload.version_id);
      return;
    case "batch_releases":
      for (const { config_id, releases, default_version_id } of payload.items) {
        if (config_id !== config.id) continue;
        add(releases ?? []);
        if (default_version_id !== null) add([{ version_id: default_version_id }]);
      }
      return;
    case "apply_bundle":
      for (const entry of payload.configs) if (isOf(entry, config)) takeEntry({ ids, contents }, entry);
      return;
    default:
  }
}

function isOf({ app, env, name }: BundleConfig, config: Config): boolean {
  return app === config.namespace.app && env === config.namespace.env && name === config.name;
}

/**
 * Of `versions` those that come along, too: whichever version has one is taken, and were it gone the approved plan would be
 * another one. The entry's own content becomes a new version, unless it is the latest or a hash alone.
 */
function takeEntry({ ids, contents }: AskedVersions, entry: BundleConfig): void {
  for (const { version } of entry.releases ?? []) if (typeof version === "number") ids.add(version);
  const taken = entry.content.attachment === null ? [entry, ...entry.versions] : entry.versions;
  for (const { content, format } of taken) contents.add(contentKey({ sha256: content.sha256, format }));
}
