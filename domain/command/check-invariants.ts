import { type AuditAnchor, checkAuditAnchors } from "../access/anchor-audit.ts";
import type { PendingRestore, RestoredState } from "../backup/backup-origin.ts";
import { checkChangeInvariants } from "../change-request/check-change-invariants.ts";
import type { Config, ConfigVersion, DeletedConfig } from "../config/config.ts";
import { checkPublishInvariants } from "../publish/check-publish-invariants.ts";
import { checkRemovedInvariants } from "../retention/check-removed-invariants.ts";
import { checkContentRefs, countOf } from "./check-content-refs.ts";
import { scanAll } from "./scan-all.ts";
import { stateKey, type StateView } from "./state-view.ts";

/**
 * What must hold of the state after every command (R11); answers one sentence for each thing that does not. Reads the
 * whole state: for tests, drills and samples.
 */
export function checkInvariants(state: StateView): string[] {
  const wrong: string[] = [];
  let configs = 0;
  for (const { value } of scanAll(state, "c/")) {
    configs += 1;
    checkConfig(state, value as Config, wrong);
  }
  let names = 0;
  for (const { key, value } of scanAll(state, stateKey.configByNamePrefix)) {
    names += 1;
    const config = state.json(stateKey.config(value as string)) as Config | undefined;
    if (config === undefined) wrong.push(`${key} names ${String(value)}, which is missing`);
    else if (nameKey(config) !== key)
      wrong.push(`${key} names ${config.id}, whose name is ${nameKey(config)}`);
  }
  for (const { key, value } of scanAll(state, "z/")) {
    const { id } = value as DeletedConfig;
    if (state.hasKey(stateKey.config(id))) wrong.push(`${key} is a tombstone of a config that lives`);
  }
  if (names !== configs) wrong.push(`${configs} configs have ${names} names`);
  for (const { key, value } of scanAll(state, "v/")) {
    const { config_id } = value as ConfigVersion;
    if (!state.hasKey(stateKey.config(config_id))) wrong.push(`${key} belongs to no config`);
  }
  const others = [
    checkContentRefs,
    checkConfigCounts,
    checkIdempotency,
    checkRestore,
    checkPublishInvariants,
    checkAnchors,
    checkChangeInvariants,
    checkBundles,
    checkRemovedInvariants,
  ];
  return [...wrong, ...others.flatMap((check) => check(state))];
}

function checkConfig(state: StateView, config: Config, wrong: string[]): void {
  const versions = new Set<number>();
  for (const { value } of scanAll(state, stateKey.versionPrefix(config.id))) {
    const version = value as ConfigVersion;
    versions.add(version.version_id);
    if (config.encrypted !== (version.sealed !== undefined))
      wrong.push(`${config.id}: version ${version.version_id} is not sealed as its config says`);
  }
  if (!versions.has(config.latest_version_id)) {
    wrong.push(`${config.id}: the latest version ${config.latest_version_id} is missing`);
  }
  if (Math.max(...versions) > config.latest_version_id) wrong.push(`${config.id}: a version past the latest`);
  for (const { version_id } of config.releases) {
    if (!versions.has(version_id))
      wrong.push(`${config.id}: a rule names version ${version_id}, which is missing`);
  }
  if (state.json(nameKey(config)) !== config.id) wrong.push(`${config.id} is not found by its name`);
}

function nameKey({ namespace, name }: Config): string {
  return stateKey.configByName(namespace.tenant, namespace.app, namespace.env, name);
}

function checkAnchors(state: StateView): string[] {
  return [...scanAll(state, stateKey.auditAnchorsPrefix)].flatMap(({ key, value }) =>
    checkAuditAnchors(key, value as AuditAnchor[]),
  );
}

/** Each config that a bundle owns is found by that bundle, and by no other. */
function checkBundles(state: StateView): string[] {
  const wrong: string[] = [];
  const owned = new Set<string>();
  for (const { value } of scanAll(state, "c/")) {
    const { id, namespace, bundle } = value as Config;
    if (bundle === undefined) continue;
    const key = stateKey.bundleConfig(namespace.tenant, bundle.id, id);
    owned.add(key);
    if (state.json(key) !== id) wrong.push(`${id} is not found by its bundle ${bundle.id}`);
  }
  for (const { key } of scanAll(state, stateKey.bundlePrefix))
    if (!owned.has(key)) wrong.push(`${key} names a config that the bundle does not own`);
  return wrong;
}

/** A tenant whose configs are counted has as many as the count says. */
function checkConfigCounts(state: StateView): string[] {
  const wrong: string[] = [];
  for (const { key, value } of scanAll(state, stateKey.configCountPrefix)) {
    const tenant = key.slice(stateKey.configCountPrefix.length);
    const have = countOf(state, stateKey.configsOfTenantPrefix(tenant));
    if (value !== have) wrong.push(`${key} counts ${String(value)} configs, there are ${have}`);
  }
  return wrong;
}

/** Epochs only rise, and a restore under way has staged no more than it announced. */
function checkRestore(state: StateView): string[] {
  const wrong: string[] = [];
  const pending = state.json(stateKey.pendingRestore) as PendingRestore | undefined;
  if (pending !== undefined && pending.staged > pending.chunks.length) {
    wrong.push(`${pending.staged} of ${pending.chunks.length} chunks are staged`);
  }
  const epochs = (state.json(stateKey.restored) as RestoredState | undefined)?.epochs ?? [];
  for (const [i, { epoch, first_index }] of epochs.entries()) {
    const before = epochs[i - 1];
    if (before === undefined) continue;
    if (epoch <= before.epoch || first_index <= before.first_index) {
      wrong.push(
        `epoch ${epoch} from ${first_index} follows epoch ${before.epoch} from ${before.first_index}`,
      );
    }
  }
  return wrong;
}

/** Results, their order of expiry and the tenant's count belong together. */
function checkIdempotency(state: StateView): string[] {
  const wrong: string[] = [];
  const perTenant = new Map<string, number>();
  for (const { key, value } of scanAll(state, "i/")) {
    const [, tenant = "", scope = ""] = key.split("/");
    perTenant.set(tenant, (perTenant.get(tenant) ?? 0) + 1);
    const { expires_at_ms } = value as { expires_at_ms: number };
    if (!state.hasKey(stateKey.idempotencyExpiry(tenant, expires_at_ms, scope))) {
      wrong.push(`${key} has no row in the order of expiry`);
    }
  }
  let total = 0;
  for (const count of perTenant.values()) total += count;
  const rows = countOf(state, "x/");
  if (rows !== total) wrong.push(`${total} results have ${rows} rows in the order of expiry`);
  for (const { key, value } of scanAll(state, "y/")) {
    const { count } = value as { count: number };
    const have = perTenant.get(key.slice(2)) ?? 0;
    if (count !== have) wrong.push(`${key} counts ${count}, there are ${have}`);
  }
  return wrong;
}
