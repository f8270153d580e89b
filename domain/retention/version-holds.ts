import { contentKey, readVersionOf } from "../bundle/bundle-digests.ts";
import type { ChangeRequest } from "../change-request/change-request.ts";
import { hasExpired } from "../change-request/find-change.ts";
import type { ChangeRow } from "../change-request/write-change.ts";
import type { ChangeOperation } from "../command/command.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { findRunningPublish } from "../publish/find-publish.ts";
import type { VersionHold } from "./kept-version.ts";

/**
 * Says of versions of `config` what holds them; null: nothing does. Held are the latest version, those that a release rule
 * names, that of a running or paused publish plan and the one before it, those that an open change request asks for, and,
 * while the latest has another content than the bundle last applied, those that have that content. Looks when first asked.
 */
export function versionHolds(
  state: StateView,
  config: Config,
  nowMs: number,
): (version: ConfigVersion) => VersionHold | null {
  let held: { named: ReadonlyMap<number, VersionHold>; bundled: string | null } | null = null;
  return (version) => {
    held ??= { named: namedVersions(state, config, nowMs), bundled: bundledContent(state, config) };
    const hold = held.named.get(version.version_id);
    if (hold !== undefined) return hold;
    return held.bundled !== null && contentKey(version) === held.bundled ? "bundle" : null;
  };
}

function namedVersions(state: StateView, config: Config, nowMs: number): Map<number, VersionHold> {
  const named = new Map<number, VersionHold>();
  for (const id of askedFor(state, config, nowMs)) named.set(id, "change_request");
  const plan = findRunningPublish(state, config.id);
  for (const id of [plan?.version_id, plan?.previous_version_id]) {
    if (id !== undefined && id !== null) named.set(id, "publish");
  }
  for (const { version_id } of config.releases) named.set(version_id, "rule");
  return named.set(config.latest_version_id, "latest");
}

/** Versions that open change requests of the config name. */
function askedFor(state: StateView, config: Config, nowMs: number): number[] {
  const rows = scanAll(state, stateKey.changeRequestByTenantPrefix(config.namespace.tenant));
  return [...rows].flatMap(({ value }) => {
    const row = value as ChangeRow;
    if (row.state !== "open" || hasExpired(row, nowMs)) return [];
    const request = state.json(stateKey.changeRequest(row.id)) as ChangeRequest;
    return request.config_id === config.id ? versionsOf(request.operation) : [];
  });
}

function versionsOf({ kind, payload }: ChangeOperation): number[] {
  switch (kind) {
    case "put_releases":
      return payload.releases.map(({ version_id }) => version_id);
    case "rollback":
      return [payload.version_id];
    case "start_publish":
      return payload.version_id === null ? [] : [payload.version_id];
    default:
      return [];
  }
}

/** The content that the config's bundle last applied; null when there is none, or the latest version has it. */
function bundledContent(state: StateView, config: Config): string | null {
  const content = config.bundle?.content ?? null;
  if (content === null) return null;
  const latest = readVersionOf(state, config.id, config.latest_version_id);
  return latest !== undefined && contentKey(latest) === content ? null : content;
}
