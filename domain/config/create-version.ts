import { type ApplyVerb } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { configChanged, toConfigHead, toVersionHead } from "./config-changed.ts";
import { fullName } from "./config-name.ts";
import type { Config, ConfigVersion } from "./config.ts";
import { findConfig } from "./find-config.ts";
import { refuseMisjudged } from "./judged-by.ts";
import { checkVersionInput, sealOf, writeVersion } from "./write-version.ts";

/**
 * Adds the next immutable version of a config (C2). Which clients get it is not changed. The same bytes again are a
 * version of their own that shares what is stored.
 */
export const createVersion: ApplyVerb<"create_version"> = ({ state, command, attachments, ...at }) => {
  const { payload } = command;
  const found = findConfig(state, command, payload.config_id);
  if (!found.ok) return found;
  const misjudged = refuseMisjudged(payload, found.config);
  if (misjudged !== null) return misjudged;
  const checked = checkVersionInput(payload, attachments, found.config);
  if (!checked.ok) return checked;

  const versionId = found.config.latest_version_id + 1;
  const config: Config = {
    ...found.config,
    latest_version_id: versionId,
    updated_at_ms: at.timestampMs,
    revision: at.index,
  };
  const version: ConfigVersion = {
    config_id: config.id,
    version_id: versionId,
    sha256: payload.content.sha256,
    ...sealOf(payload.content),
    content_bytes: checked.bytes.byteLength,
    format: payload.format ?? config.format,
    schema: payload.schema,
    description: payload.description,
    creator: command.actor.name,
    created_at_ms: at.timestampMs,
  };
  return {
    ok: true,
    changes: [
      { op: "put_json", key: stateKey.config(config.id), value: config },
      ...writeVersion(state, command.tenant, version, checked.bytes),
    ],
    events: [configChanged(state, config, [version])],
    result: { config: toConfigHead(config), version: toVersionHead(version) },
    audit: {
      action: "write",
      resource: fullName(config.namespace, config.name),
      summary: `added version ${versionId} with ${version.content_bytes} bytes of ${version.format}`,
    },
  };
};
