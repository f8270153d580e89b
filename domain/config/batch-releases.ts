import { type ApplyInput, type ApplyVerb, type Refusal, refuse } from "../command/apply-verb.ts";
import type { BatchItem, CommandKind, CommandOf, CommandPayloads } from "../command/command.ts";
import type { FieldError } from "../command/command-error.ts";
import type { CommandResults } from "../command/command-result.ts";
import type { FeedEvent } from "../command/feed-entry.ts";
import { StagedState } from "../command/staged-state.ts";
import { BATCH_CONTENT_BYTES_MAX, BATCH_ITEMS_MAX, BATCH_RULES_MAX } from "../limits.ts";
import { sharedPlace } from "./config-name.ts";
import { createVersion } from "./create-version.ts";
import { putReleases } from "./put-releases.ts";
import { rollbackConfig } from "./rollback-config.ts";

/** Errors listed for one refusal. */
const ERRORS_MAX = 50;
/** Configs that the audit's line names; the rest is counted. */
const NAMES_IN_SUMMARY_MAX = 20;

type Input = ApplyInput<"batch_releases">;
type Done = CommandResults["batch_releases"]["items"][number];

/**
 * Does to several configs of a tenant what `createVersion`, `putReleases` and `rollbackConfig` do to one, all or nothing, at
 * one index (C7). Refuses what these refuse, with the place of each item that stands against it (`/items/3/...`) and the
 * code of the first; `validation_failed` for a config that comes twice and for a batch over its limits.
 */
export const batchReleases: ApplyVerb<"batch_releases"> = (input) => {
  const { items } = input.command.payload;
  const unfit = checkBatch(input.command.payload, input.attachments);
  if (unfit !== null) return unfit;
  const staged = new StagedState(input.state);
  const events: FeedEvent[] = [];
  const done: Done[] = [];
  const refused: { at: number; refusal: Refusal }[] = [];
  for (const [at, item] of items.entries()) {
    const outcome = doItem(input, staged, item);
    if (outcome.ok) {
      done.push(outcome.done);
      events.push(...outcome.events);
    } else refused.push({ at, refusal: outcome });
  }
  const [first] = refused;
  if (first !== undefined) {
    const errors = refused.flatMap(({ at, refusal }) => pathsOf(at, refusal)).slice(0, ERRORS_MAX);
    const detail = `${refused.length} of ${items.length} items are refused; nothing is written`;
    return refuse(first.refusal.code, detail, errors);
  }
  return {
    ok: true,
    changes: staged.changes(),
    events,
    result: { items: done },
    audit: auditOf(input, done),
  };
};

/** Refuses a batch that is wrong in itself, whatever the configs are; null when nothing is. */
export function checkBatch(
  { items }: CommandPayloads["batch_releases"],
  attachments: readonly Uint8Array[],
): Refusal | null {
  const at = (path: string, message: string): Refusal =>
    refuse("validation_failed", "the batch is not valid", [{ path, message }]);
  if (items.length === 0 || items.length > BATCH_ITEMS_MAX)
    return at("/items", `1 to ${BATCH_ITEMS_MAX} items`);
  const seen = new Set<string>();
  let [rules, bytes] = [0, 0];
  for (const [i, { config_id, content, releases, default_version_id }] of items.entries()) {
    if (seen.has(config_id)) return at(`/items/${i}/config_id`, "the same config twice");
    if ((releases === null) === (default_version_id === null))
      return at(`/items/${i}`, "give exactly one of releases and default_version_id");
    seen.add(config_id);
    rules += releases?.length ?? 0;
    bytes += content === null ? 0 : (attachments[content.attachment]?.byteLength ?? 0);
  }
  if (rules > BATCH_RULES_MAX) return at("/items", `at most ${BATCH_RULES_MAX} rules in all, got ${rules}`);
  if (bytes <= BATCH_CONTENT_BYTES_MAX) return null;
  const detail = `the contents of a batch have at most ${BATCH_CONTENT_BYTES_MAX} bytes, got ${bytes}`;
  return refuse("payload_too_large", detail);
}

/** The writes of one item, on top of those of the items before it. */
function doItem(
  input: Input,
  staged: StagedState,
  item: BatchItem,
): { ok: true; done: Done; events: FeedEvent[] } | Refusal {
  let expected = item.expected_revision;
  let version: Done["version"] = null;
  if (item.content !== null) {
    const { config_id, content, schema, description, judged_by } = item;
    const payload = { config_id, content, format: null, schema, description, judged_by };
    const made = createVersion(as(input, staged, "create_version", payload, expected));
    if (!made.ok) return made;
    staged.stage(made.changes);
    version = made.result.version;
    // The item's own version has moved the config.
    expected = null;
  }
  const fresh = version?.version_id ?? null;
  const { abort_plan } = input.command.payload;
  const numberOf = (named: number | "new"): number | null => (named === "new" ? fresh : named);
  const nothingNew = (path: string): Refusal =>
    refuse("validation_failed", "no new version", [
      { path, message: '"new" needs content in the same item' },
    ]);
  if (item.releases === null) {
    const version_id = numberOf(item.default_version_id ?? "new");
    if (version_id === null) return nothingNew("/default_version_id");
    const payload = { config_id: item.config_id, version_id, abort_plan };
    const moved = rollbackConfig(as(input, staged, "rollback", payload, expected));
    if (!moved.ok) return withPrefix(moved, "/version_id", "/default_version_id");
    staged.stage(moved.changes);
    return { ok: true, done: { ...moved.result, version, warnings: [] }, events: moved.events };
  }
  const missing = item.releases.findIndex(({ version_id }) => numberOf(version_id) === null);
  if (missing >= 0) return nothingNew(`/releases/${missing}/version_id`);
  const releases = item.releases.map((rule) => ({ ...rule, version_id: numberOf(rule.version_id) ?? 0 }));
  const payload = { config_id: item.config_id, releases, abort_plan };
  const put = putReleases(as(input, staged, "put_releases", payload, expected));
  if (!put.ok) return withPrefix(put, "", "/releases");
  staged.stage(put.changes);
  return { ok: true, done: { ...put.result, version }, events: put.events };
}

/** The batch as the command of one item's step would be. */
function as<K extends CommandKind>(
  { command, ...input }: Input,
  state: StagedState,
  kind: K,
  payload: CommandPayloads[K],
  expected_revision: number | null,
): ApplyInput<K> {
  const step: CommandOf<K> = { ...command, kind, payload, expected_revision };
  return { ...input, state, command: step };
}

function withPrefix(refusal: Refusal, from: string, to: string): Refusal {
  const errors = refusal.errors?.map((error) =>
    error.path.startsWith(from) ? { ...error, path: to + error.path.slice(from.length) } : error,
  );
  return refuse(refusal.code, refusal.detail, errors);
}

/** The item's errors with its place; one that names no field is told whole, with its code. */
function pathsOf(at: number, { code, detail, errors = [] }: Refusal): FieldError[] {
  if (errors.length === 0) return [{ path: `/items/${at}`, message: `${code}: ${detail}` }];
  return errors.map((error) => ({ ...error, path: `/items/${at}${error.path}` }));
}

function auditOf({ command }: Input, done: readonly Done[]) {
  const named = done.map(({ config: { namespace, name } }) => ({ ...namespace, name }));
  const { app: sharedApp, env: sharedEnv, name } = sharedPlace(named);
  const listed = done.slice(0, NAMES_IN_SUMMARY_MAX).map(({ config, version }) => {
    const { app, env } = config.namespace;
    return `${app}/${env}/${config.name}${version === null ? "" : ` version ${version.version_id}`}`;
  });
  const more = done.length - listed.length;
  return {
    action: "publish" as const,
    resource: [command.tenant, sharedApp, sharedEnv, name].join("/"),
    summary: `changed the release rules of ${done.length} configs: ${listed.join(", ")}${more > 0 ? ` and ${more} more` : ""}`,
  };
}
