import type { ConfigHead, VersionHead } from "../../domain/command/command-result.ts";
import { configEtag } from "./command-head.ts";

/** RFC 3339 in UTC of a time in milliseconds. */
export function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** A config as answers show it, without its schema. */
export function viewConfig(config: ConfigHead) {
  return {
    id: config.id,
    namespace: config.namespace,
    name: config.name,
    format: config.format,
    latest_version_id: config.latest_version_id,
    releases: config.releases,
    encrypted: config.encrypted,
    etag: configEtag(config.revision),
    description: config.description,
    retention: config.retention,
    created_at: toTime(config.created_at_ms),
    updated_at: toTime(config.updated_at_ms),
  };
}

/** A version as answers show it, without its schema. */
export function viewVersion(version: VersionHead) {
  return {
    config_id: version.config_id,
    version_id: version.version_id,
    // Of an envelope without its wrapped key, so that wrapping it anew leaves the version as it is.
    content_hash: `sha256:${version.sealed?.content_sha256 ?? version.sha256}`,
    content_bytes: version.content_bytes,
    format: version.format,
    encrypted: version.sealed !== undefined,
    key_id: version.sealed?.key_id ?? null,
    description: version.description,
    creator: version.creator,
    created_at: toTime(version.created_at_ms),
  };
}

/** The stored text of a schema as JSON, null when there is none; one that is no JSON as it is. */
export function viewSchema(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Bundles once stored any text; what is there must still be read and exported.
    return text;
  }
}
