/** An export, with each version that a rule names by its content. */
import { envOf, type ModelState, shownRule } from "./model-state.ts";
import type { Json } from "./model-shown.ts";
import { SLOTS } from "./model-steps.ts";
import { CONTENTS, INT_SCHEMA, LOOSE_SCHEMA } from "./model-values.ts";

interface ExportedVersion extends Json {
  name?: string;
  content?: string;
  content_hash?: string;
  format?: string;
}
interface Exported extends ExportedVersion {
  env?: string;
  versions?: ExportedVersion[];
  releases?: (Json & { version: string | number })[];
}

/** Of an encrypted one there is a hash alone. */
const SEALED = "sealed";
const contentOf = ({ content, content_hash }: ExportedVersion): unknown =>
  content ?? (content_hash === undefined ? undefined : SEALED);

/** What an export says of each config. */
export function contentsOfExport(answer: Json): unknown {
  return (answer["configs"] as Exported[]).map((entry) => {
    const { format, name, env, description, retention, schema, versions = [], releases = [] } = entry;
    const byName = new Map<string | number, unknown>(
      versions.map((version) => [version.name ?? "", [contentOf(version), version.format ?? format]]),
    );
    byName.set("bundle", [contentOf(entry), format]);
    return {
      name,
      env,
      format,
      content: contentOf(entry),
      settings: { description: description ?? "", retention: retention ?? null, schema: schema ?? null },
      releases: releases.map(({ version, ...rule }) => ({
        ...rule,
        version: byName.get(version) ?? version,
        priority: rule["priority"] ?? 0,
        labels: rule["labels"] ?? {},
      })),
    };
  });
}

/** The same of the model's configs. */
export function entriesOf(state: ModelState): unknown {
  const { configs, regions } = state;
  return SLOTS.flatMap((slot) => {
    const config = configs.get(slot);
    const latest = config?.versions.at(-1);
    if (config === undefined || latest === undefined) return [];
    const textOf = (content: string): string | undefined =>
      config.isEncrypted ? SEALED : CONTENTS[content]?.text;
    const schema = latest.schema ?? (config.hasSchema ? "int" : null);
    const users = config.rules.filter(({ plan }) => plan === null);
    return {
      name: slot,
      env: envOf(slot),
      format: latest.format,
      content: textOf(latest.content),
      settings: {
        description: "",
        retention: config.retention === null ? null : { count: config.retention },
        schema: schema === null ? null : schema === "int" ? INT_SCHEMA : LOOSE_SCHEMA,
      },
      releases: users.map((rule) => {
        const { version_id, ...shown } = shownRule(rule, config, regions);
        const version = config.versions[version_id - 1];
        return { ...shown, version: version && [textOf(version.content), version.format] };
      }),
    };
  });
}
