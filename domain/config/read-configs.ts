import { type Refusal, refuse } from "../command/apply-verb.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import { LIST_CHARACTERS_MAX, LIST_SCAN_MAX } from "../limits.ts";
import { lastNotRemoved, readRemovedRanges, sayMissingVersion } from "../retention/removed-versions.ts";
import type { Namespace } from "./config-name.ts";
import type { Config, ConfigVersion, DeletedConfig } from "./config.ts";

/** Reads of configs and versions as every host of the state answers them. A refusal is `not_found` unless it says otherwise. */
export type Page<T> = { ok: true; items: T[]; next_cursor: string | null };

export function readConfig(state: StateView, id: string): { ok: true; config: Config } | Refusal {
  const config = state.json(stateKey.config(id)) as Config | undefined;
  return config === undefined ? refuse("not_found", `no config ${id}`) : { ok: true, config };
}

/** The tombstone of a deleted config; `not_found` for one that lives or never was. */
export function readDeletedConfig(
  state: StateView,
  id: string,
): { ok: true; deleted: DeletedConfig } | Refusal {
  const deleted = state.json(stateKey.deletedConfig(id)) as DeletedConfig | undefined;
  return deleted === undefined ? refuse("not_found", `no deleted config ${id}`) : { ok: true, deleted };
}

export function readConfigByName(
  state: StateView,
  namespace: Namespace,
  name: string,
): { ok: true; config: Config } | Refusal {
  const key = stateKey.configByName(namespace.tenant, namespace.app, namespace.env, name);
  const id = state.json(key) as string | undefined;
  return id === undefined ? refuse("not_found", `no config ${key.slice(2)}`) : readConfig(state, id);
}

export interface ListConfigsInput {
  tenant: string;
  app?: string;
  env?: string;
  name_prefix?: string;
  cursor?: string;
  limit: number;
}

/**
 * A tenant's configs in order of app, env and name. The cursor is opaque. A filter that the order does not help may
 * answer fewer than `limit` with a cursor to go on from: one call looks at no more than LIST_SCAN_MAX names. So do configs
 * with large schemas or very many rules: a page ends when it has LIST_CHARACTERS_MAX.
 */
export function listConfigs(state: StateView, input: ListConfigsInput): Page<Config> {
  const root = `${stateKey.configByNamePrefix}${input.tenant}/`;
  const prefix = root + orderedPrefix(input);
  const items: Config[] = [];
  const start = input.cursor === undefined ? undefined : root + input.cursor;
  let seen = 0;
  let last = "";
  const page = new PageSize();
  for (const { key, value } of scanAll(state, prefix, start)) {
    const isFull = items.length === input.limit || page.isFull;
    if (isFull || seen === LIST_SCAN_MAX) return { ok: true, items, next_cursor: last };
    seen += 1;
    last = key.slice(root.length);
    const [, env = "", name = ""] = last.split("/");
    if (input.env !== undefined && env !== input.env) continue;
    if (input.name_prefix !== undefined && !name.startsWith(input.name_prefix)) continue;
    items.push(page.add(state.json(stateKey.config(value as string)) as Config));
  }
  return { ok: true, items, next_cursor: null };
}

/** As much of the filter as the order of the names serves. */
function orderedPrefix({ app, env, name_prefix }: ListConfigsInput): string {
  if (app === undefined) return "";
  return env === undefined ? `${app}/` : `${app}/${env}/${name_prefix ?? ""}`;
}

/** How large a page has grown. */
class PageSize {
  #characters = 0;

  add<T>(item: T): T {
    this.#characters += JSON.stringify(item).length;
    return item;
  }

  get isFull(): boolean {
    return this.#characters >= LIST_CHARACTERS_MAX;
  }
}

/** Versions of a config, newest first, up to `limit` or LIST_CHARACTERS_MAX. The cursor is the last version answered. */
export function listVersions(
  state: StateView,
  input: { config_id: string; cursor?: string; limit: number },
): Page<ConfigVersion> | Refusal {
  const found = readConfig(state, input.config_id);
  if (!found.ok) return found;
  const before = input.cursor === undefined ? found.config.latest_version_id + 1 : Number(input.cursor);
  if (!Number.isSafeInteger(before) || before < 1) {
    return refuse("malformed_request", "the cursor is not one that a list of versions gave", [
      { path: "/cursor", message: "not a cursor" },
    ]);
  }
  const removed = readRemovedRanges(state, input.config_id);
  const items: ConfigVersion[] = [];
  const page = new PageSize();
  let id = lastNotRemoved(removed, Math.min(before - 1, found.config.latest_version_id));
  for (; id >= 1 && items.length < input.limit && !page.isFull; id = lastNotRemoved(removed, id - 1)) {
    const version = state.json(stateKey.version(input.config_id, id)) as ConfigVersion | undefined;
    if (version !== undefined) items.push(page.add(version));
  }
  return { ok: true, items, next_cursor: id >= 1 ? String(id + 1) : null };
}

export function readVersion(
  state: StateView,
  input: { config_id: string; version_id: number },
): { ok: true; version: ConfigVersion } | Refusal {
  const version = state.json(stateKey.version(input.config_id, input.version_id)) as
    | ConfigVersion
    | undefined;
  return version === undefined
    ? refuse(
        "not_found",
        `config ${input.config_id}: ${sayMissingVersion(state, input.config_id, input.version_id)}`,
      )
    : { ok: true, version };
}
