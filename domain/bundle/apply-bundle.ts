import { type ApplyInput, type ApplyVerb, type Refusal, refuse } from "../command/apply-verb.ts";
import type { FeedEvent } from "../command/feed-entry.ts";
import { StagedState } from "../command/staged-state.ts";
import { stateKey } from "../command/state-view.ts";
import { configChanged } from "../config/config-changed.ts";
import { sharedPlace } from "../config/config-name.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { countOneMore } from "../config/count-configs.ts";
import { deleteConfig } from "../config/delete-config.ts";
import { checkVersionInput, writeVersion } from "../config/write-version.ts";
import { endRunningPublish } from "../publish/abort-publish.ts";
import { findRunningPublish } from "../publish/find-publish.ts";
import type { BundleAction, BundlePlanItem } from "./bundle.ts";
import { planBundle } from "./plan-bundle.ts";
import { refuseBlocked } from "./refuse-blocked.ts";
import type { ConfigWork } from "./planned-bundle.ts";

/** Configs that the audit's line names; the rest is counted. */
const NAMES_IN_SUMMARY_MAX = 20;
type Input = ApplyInput<"apply_bundle">;

/**
 * Makes a tenant's configs as a bundle wants them (C13), all or nothing: creates, adds versions, changes settings and
 * rules, and with `prune` deletes. Plans anew in the log's order; refuses `precondition_failed` when that is not the plan
 * `if_plan` names, and what `planBundle` and the single writes refuse. A bundle that is applied already changes nothing.
 * `planned`: the plan of this very state, when somebody has made it already.
 */
export const applyBundle: ApplyVerb<"apply_bundle"> = (input) => {
  const { payload, tenant } = input.command;
  const planned = input.planned ?? planBundle(input.state, tenant, payload);
  if (!planned.ok) return refuse("validation_failed", "the bundle is not valid", planned.errors);
  const { plan, work } = planned;
  if (payload.if_plan !== null && payload.if_plan !== plan.digest) {
    return refuse("precondition_failed", "the configs have changed: the plan is another one now");
  }
  const blocked = refuseBlocked(plan.items);
  if (blocked !== null) return blocked;
  const staged = new StagedState(input.state);
  const events: FeedEvent[] = [];
  // Deletions first: they make room for what is created.
  for (const { item } of work) if (item.action === "delete") deleteOne(input, staged, item, events);
  for (const { item, config } of work) {
    if (config !== null && item.changes.length > 0) {
      const refused = writeOne(input, staged, { item, config }, events);
      if (refused !== null) return refused;
    }
  }
  return {
    ok: true,
    changes: staged.changes(),
    events,
    result: { bundle_id: payload.bundle_id, plan },
    audit: auditOf(input, plan.items),
  };
};

function deleteOne(input: Input, staged: StagedState, item: BundlePlanItem, events: FeedEvent[]): void {
  const { command } = input;
  const config_id = item.config_id ?? "";
  const deleted = deleteConfig({
    ...input,
    state: staged,
    command: { ...command, kind: "delete_config", expected_revision: null, payload: { config_id } },
  });
  if (!deleted.ok) throw new Error(`${config_id} was planned to be deleted: ${deleted.detail}`);
  staged.stage(deleted.changes);
  events.push(...deleted.events);
}

/** Writes one entry; what is refused is refused as on a single write, with the entry's path. */
function writeOne(
  input: Input,
  staged: StagedState,
  { item, config: work }: { item: BundlePlanItem; config: ConfigWork },
  events: FeedEvent[],
): Refusal | null {
  const { command, index, timestampMs } = input;
  const config = nextConfig(input, item, work);
  if (work.existing === null) {
    const counted = countOneMore(staged, command.tenant, command.payload.max_configs);
    if (!counted.ok) return counted;
    const { app, env } = config.namespace;
    staged.stage([
      ...counted.changes,
      { op: "put_json", key: stateKey.configByName(command.tenant, app, env, config.name), value: config.id },
    ]);
  }
  for (const fresh of work.fresh) {
    const { attachment, sha256, format } = fresh;
    const { schema, description } = work.wanted;
    const given = { content: { attachment, sha256 }, schema, description };
    const checked = checkVersionInput(given, input.attachments, { encrypted: false });
    if (!checked.ok) return withPath(checked, fresh.path);
    const version: ConfigVersion = {
      config_id: config.id,
      version_id: fresh.versionId,
      sha256,
      content_bytes: checked.bytes.byteLength,
      format,
      schema: null,
      description,
      creator: command.actor.name,
      created_at_ms: timestampMs,
    };
    staged.stage(writeVersion(staged, command.tenant, version, checked.bytes));
  }
  const running = work.releases === null ? null : findRunningPublish(staged, config.id);
  const ended = endRunningPublish(running, "rules_replaced", { index, timestampMs });
  staged.stage([{ op: "put_json", key: stateKey.config(config.id), value: config }, ...ended.changes]);
  stageOwner(staged, work, config);
  if (!isOwnerAlone(item)) events.push(configChanged(staged, config), ...ended.events);
  return null;
}

function nextConfig(
  { command, index, timestampMs, clusterId }: Input,
  item: BundlePlanItem,
  work: ConfigWork,
): Config {
  const { wanted, existing, fresh, mark } = work;
  const { format, schema, description, retention, app, env, name } = wanted;
  const before: Config = existing?.config ?? {
    id: `cfg-${clusterId}-${index}-${item.position ?? 0}`,
    namespace: { tenant: command.tenant, app, env },
    name,
    format,
    encrypted: false,
    schema,
    retention,
    description,
    latest_version_id: 0,
    releases: [],
    created_at_ms: timestampMs,
    updated_at_ms: timestampMs,
    revision: index,
  };
  const own = { ...before, bundle: mark };
  // Who owns a config is nothing that its readers are told of.
  if (isOwnerAlone(item)) return own;
  const setsSettings = item.changes.includes("settings") || fresh.length > 0;
  return {
    ...own,
    ...(setsSettings ? { format, schema, description, retention } : {}),
    latest_version_id: fresh.at(-1)?.versionId ?? before.latest_version_id,
    releases: work.releases ?? before.releases,
    updated_at_ms: timestampMs,
    revision: index,
  };
}

function isOwnerAlone({ changes }: BundlePlanItem): boolean {
  return changes.every((change) => change === "owner");
}

/** The row by which a bundle finds what it owns, and no other bundle does. */
function stageOwner(staged: StagedState, { existing, mark }: ConfigWork, { id, namespace }: Config): void {
  const before = existing?.config.bundle?.id;
  if (before === mark.id) return;
  const key = (bundleId: string): string => stateKey.bundleConfig(namespace.tenant, bundleId, id);
  if (before !== undefined) staged.stage([{ op: "delete", key: key(before) }]);
  staged.stage([{ op: "put_json", key: key(mark.id), value: id }]);
}

function withPath(refusal: Refusal, path: string): Refusal {
  const errors = refusal.errors?.map((error) => ({ ...error, path: `${path}${error.path}` }));
  return refuse(
    refusal.code,
    refusal.detail,
    errors ?? [{ path: `${path}/content`, message: refusal.detail }],
  );
}

/** One line for the whole bundle; null when nothing was written. */
function auditOf({ command }: Input, items: readonly BundlePlanItem[]) {
  const written = items.filter(({ action }) => action !== "unchanged" && action !== "orphan");
  if (written.length === 0) return null;
  const names = written.slice(0, NAMES_IN_SUMMARY_MAX).map(({ app, env, name }) => `${app}/${env}/${name}`);
  const more = written.length - names.length;
  const count = (action: BundleAction): number => written.filter((item) => item.action === action).length;
  const counts = `${count("create")} created, ${count("update")} changed, ${count("delete")} deleted`;
  const releases = written.some(({ changes }) => changes.includes("releases"));
  const { app, env } = sharedPlace(written);
  return {
    action: releases ? ("publish" as const) : ("write" as const),
    resource: `${command.tenant}/${app}/${env}/*`,
    summary: `applied bundle ${command.payload.bundle_id}: ${counts}: ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`,
  };
}
