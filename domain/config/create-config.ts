import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { checkRules } from "../release-rule/check-rules.ts";
import { configChanged, toConfigHead, toVersionHead } from "./config-changed.ts";
import { fullName, isConfigName, NAME_RULE } from "./config-name.ts";
import type { Config, ConfigVersion } from "./config.ts";
import { countOneMore } from "./count-configs.ts";
import { checkVersionInput, sealOf, writeVersion } from "./write-version.ts";

/**
 * Creates a config with its version 1 and, in the same command, its first release rules (C1). Refuses `already_exists`
 * when the name is taken in its namespace, `validation_failed` for names and rules, `quota_exceeded` when the tenant has as
 * many configs as it may (A6).
 */
export const createConfig: ApplyVerb<"create_config"> = ({ state, command, attachments, ...at }) => {
  const { namespace, name, content, releases } = command.payload;
  const wrong = Object.entries({ ...namespace, name }).filter(([, value]) => !isConfigName(value));
  if (wrong.length > 0 || namespace.tenant !== command.tenant) {
    const errors = wrong.map(([field]) => ({ path: `/${field}`, message: NAME_RULE }));
    if (errors.length === 0) errors.push({ path: "/tenant", message: "another tenant than the command's" });
    return refuse("validation_failed", "a name is not valid", errors);
  }
  const nameKey = stateKey.configByName(namespace.tenant, namespace.app, namespace.env, name);
  const resource = fullName(namespace, name);
  if (state.hasKey(nameKey)) return refuse("already_exists", `${resource} exists`);
  const checked = checkVersionInput(command.payload, attachments, command.payload);
  if (!checked.ok) return checked;
  const rules = checkRules({ rules: releases, pathPrefix: "/releases", versionExists: (id) => id === 1 });
  if (!rules.ok) return refuse("validation_failed", "the release rules are not valid", rules.errors);
  const counted = countOneMore(state, namespace.tenant, command.payload.max_configs);
  if (!counted.ok) return counted;

  const config: Config = {
    id: `cfg-${at.clusterId}-${at.index}`,
    namespace,
    name,
    format: command.payload.format,
    encrypted: command.payload.encrypted,
    schema: command.payload.schema,
    retention: command.payload.retention,
    description: command.payload.description,
    latest_version_id: 1,
    releases: rules.rules,
    created_at_ms: at.timestampMs,
    updated_at_ms: at.timestampMs,
    revision: at.index,
  };
  const version: ConfigVersion = {
    config_id: config.id,
    version_id: 1,
    sha256: content.sha256,
    ...sealOf(content),
    content_bytes: checked.bytes.byteLength,
    format: config.format,
    schema: null,
    description: config.description,
    creator: command.actor.name,
    created_at_ms: at.timestampMs,
  };
  return {
    ok: true,
    changes: [
      { op: "put_json", key: stateKey.config(config.id), value: config },
      { op: "put_json", key: nameKey, value: config.id },
      ...counted.changes,
      ...writeVersion(state, namespace.tenant, version, checked.bytes),
    ],
    events: [configChanged(state, config, [version])],
    result: { config: toConfigHead(config), version: toVersionHead(version) },
    audit: {
      action: "write",
      resource,
      summary: `created with ${version.content_bytes} bytes of ${config.format}`,
    },
  };
};
