import { contentKey, readVersionOf } from "../bundle/bundle-digests.ts";
import type { StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { findRunningPublish } from "../publish/find-publish.ts";
import { type AskedVersions, askedVersions } from "./asked-versions.ts";
import type { VersionHold } from "./kept-version.ts";

/**
 * Says of versions of `config` what holds them; null: nothing does. Held are the latest version, those that a release rule
 * names, that of a running or paused publish plan and the one before it, those that an open change request asks for, and,
 * while the latest has another content than the bundle last applied, those that have that content. Looks when first asked.
 * `ofOne`: of change requests those of one config alone, as builds before knew it.
 */
export function versionHolds(
  state: StateView,
  config: Config,
  { nowMs, ofOne = false }: { nowMs: number; ofOne?: boolean },
): (version: ConfigVersion) => VersionHold | null {
  let held: Held | null = null;
  return (version) => {
    held ??= findHeld(state, config, { nowMs, ofOne });
    const hold = held.named.get(version.version_id);
    if (hold !== undefined) return hold;
    const content = contentKey(version);
    if (held.asked.contents.has(content)) return "change_request";
    return content === held.bundled ? "bundle" : null;
  };
}

interface Held {
  named: ReadonlyMap<number, VersionHold>;
  asked: AskedVersions;
  bundled: string | null;
}

function findHeld(state: StateView, config: Config, of: { nowMs: number; ofOne: boolean }): Held {
  const asked = askedVersions(state, config, of);
  return { named: namedVersions(state, config, asked), asked, bundled: bundledContent(state, config) };
}

function namedVersions(
  state: StateView,
  config: Config,
  asked: AskedVersions,
): ReadonlyMap<number, VersionHold> {
  const named = new Map<number, VersionHold>();
  for (const id of asked.ids) named.set(id, "change_request");
  const plan = findRunningPublish(state, config.id);
  for (const id of [plan?.version_id, plan?.previous_version_id]) {
    if (id !== undefined && id !== null) named.set(id, "publish");
  }
  for (const { version_id } of config.releases) named.set(version_id, "rule");
  return named.set(config.latest_version_id, "latest");
}

/** The content that the config's bundle last applied; null when there is none, or the latest version has it. */
function bundledContent(state: StateView, config: Config): string | null {
  const content = config.bundle?.content ?? null;
  if (content === null) return null;
  const latest = readVersionOf(state, config.id, config.latest_version_id);
  return latest !== undefined && contentKey(latest) === content ? null : content;
}
