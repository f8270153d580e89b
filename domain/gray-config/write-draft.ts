import { type ApplyInput, type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { scanAll } from "../command/scan-all.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import { configChanged, toConfigHead, toVersionHead } from "../config/config-changed.ts";
import { fullName } from "../config/config-name.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { findConfig } from "../config/find-config.ts";
import { checkVersionInput, releaseBlobs, writeVersion } from "../config/write-version.ts";
import type { PublishPlan } from "../publish/publish-plan.ts";
import { isDraft } from "./find-draft.ts";
import { grayKindOf } from "./gray-kind.ts";

/**
 * Writes the draft of a typed config (P1): edits the latest version while no plan ever named it, and else makes the next
 * one. Refuses `invalid_transition` for any other config, whose versions are immutable from the beginning.
 */
export const writeDraft: ApplyVerb<"write_draft"> = (input) => {
  const { state, command, attachments, index, timestampMs } = input;
  const { config_id, content, description } = command.payload;
  const found = findConfig(state, command, config_id);
  if (!found.ok) return found;
  if (grayKindOf(found.config.namespace) === null || found.config.encrypted) {
    return refuse("invalid_transition", "only typed configs have drafts");
  }
  const checked = checkVersionInput({ content, schema: null, description }, attachments, found.config);
  if (!checked.ok) return checked;

  const draft = findDraft(state, found.config);
  const version = draft === null ? nextVersion(input, found.config) : { ...draft, ...contentOf(input) };
  const config: Config = {
    ...found.config,
    latest_version_id: version.version_id,
    updated_at_ms: timestampMs,
    revision: index,
  };
  return {
    ok: true,
    changes: [
      { op: "put_json", key: stateKey.config(config.id), value: config },
      ...(draft === null
        ? writeVersion(state, command.tenant, version, checked.bytes)
        : replaceVersion(state, { tenant: command.tenant, draft, version, bytes: checked.bytes })),
    ],
    events: [configChanged(state, config)],
    result: { config: toConfigHead(config), version: toVersionHead(version) },
    audit: {
      action: "write",
      resource: fullName(config.namespace, config.name),
      summary: `${draft === null ? "added" : "edited"} draft ${version.version_id} with ${version.content_bytes} bytes`,
    },
  };
};

type Input = ApplyInput<"write_draft">;

/** The draft of a config; null when its latest version is none. */
function findDraft(state: StateView, config: Config): ConfigVersion | null {
  const key = stateKey.version(config.id, config.latest_version_id);
  const latest = state.json(key) as ConfigVersion | undefined;
  return latest !== undefined && isDraft(config, latest, plansOf(state, config.id)) ? latest : null;
}

function* plansOf(state: StateView, configId: string): Iterable<PublishPlan> {
  for (const { value } of scanAll(state, stateKey.publishByConfigPrefix(configId))) {
    yield state.json(stateKey.publish(value as string)) as PublishPlan;
  }
}

function contentOf({ command, attachments, timestampMs }: Input) {
  const { content, description } = command.payload;
  const content_bytes = attachments[content.attachment]?.byteLength ?? 0;
  return { sha256: content.sha256, content_bytes, description, edited_at_ms: timestampMs };
}

function nextVersion(input: Input, config: Config): ConfigVersion {
  const { edited_at_ms: created_at_ms, ...content } = contentOf(input);
  return {
    config_id: config.id,
    version_id: config.latest_version_id + 1,
    ...content,
    format: config.format,
    schema: null,
    creator: input.command.actor.name,
    created_at_ms,
  };
}

/** Writes the draft with other bytes, and lets go of those that it had. */
function replaceVersion(
  state: StateView,
  {
    tenant,
    draft,
    version,
    bytes,
  }: { tenant: string; draft: ConfigVersion; version: ConfigVersion; bytes: Uint8Array },
): StateChange[] {
  if (draft.sha256 === version.sha256) {
    return [{ op: "put_json", key: stateKey.version(version.config_id, version.version_id), value: version }];
  }
  return [
    ...writeVersion(state, tenant, version, bytes),
    ...releaseBlobs(state, tenant, new Map([[draft.sha256, 1]])),
  ];
}
