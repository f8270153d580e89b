import { canonicalJson } from "../canonical-json.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigFormat, ConfigVersion, Retention } from "../config/config.ts";
import { sha256OfText } from "../sha256-of-text.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";

/** A config's settings as a bundle has them. */
export interface BundleSettings {
  format: ConfigFormat;
  schema: string | null;
  description: string;
  retention: Retention | null;
}

/** A content by its hash and format: what makes two versions the same to a bundle. */
export type VersionContent = Pick<ConfigVersion, "sha256" | "format" | "sealed">;

/** The settings in force for the latest version: a version may have a format and a schema of its own. */
export function settingsOf(config: Config, latest: ConfigVersion): BundleSettings {
  const { description, retention } = config;
  return { format: latest.format, schema: latest.schema ?? config.schema, description, retention };
}

export function settingsText({ format, schema, description, retention }: BundleSettings): string {
  return canonicalJson([format, schema, description, retention]);
}

/**
 * Rules as a text that is equal when the rules do the same: a version stands in it as its content, so that the numbers of
 * versions, which differ from one installation to the next, do not count. Rules of a publish plan are left out.
 */
export function rulesText(
  rules: readonly ReleaseRule[],
  contentOf: (versionId: number) => VersionContent | undefined,
): string {
  return canonicalJson(
    rules
      .filter((rule) => rule.publish_id === undefined)
      .map(({ version_id, ...rule }) => {
        const content = contentOf(version_id);
        return [rule, content === undefined ? version_id : contentKey(content)];
      }),
  );
}

export function contentKey(content: VersionContent): string {
  return `${contentHash(content)}/${content.format}`;
}

/** The hash by which a bundle names a content: of an encrypted one it stays when the data key is wrapped anew. */
export function contentHash({ sha256, sealed }: Pick<ConfigVersion, "sha256" | "sealed">): string {
  return sealed?.content_sha256 ?? sha256;
}

export const digestOf = sha256OfText;

export function readVersionOf(
  state: StateView,
  configId: string,
  versionId: number,
): ConfigVersion | undefined {
  return state.json(stateKey.version(configId, versionId)) as ConfigVersion | undefined;
}
