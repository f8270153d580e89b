import {
  ARCHIVE_FORMAT,
  archiveFolder,
  archiveName,
  archivedVersion,
  type ArchivedVersion,
  hashOfArchive,
} from "../../contracts/retention/archived-version.ts";
import { OBJECT_BYTES_MAX, type ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Config, ConfigVersion } from "../../domain/config/config.ts";
import { sha256 } from "./backup-chunks.ts";

export interface StoredVersion {
  name: string;
  bytes: number;
}

/**
 * Writes a version into the archive, reads it back and proves it. Answers where it lies, and how large it is. The same
 * version again is the same object. Rejects with `unavailable` when the storage is away, and with `validation_failed` when
 * it does not give back what it was given, or `content` is not the version's.
 */
export async function archiveVersion(
  storage: ObjectStorage,
  of: { clusterId: string; config: Config; version: ConfigVersion; content: Uint8Array },
): Promise<StoredVersion> {
  const document = Buffer.from(JSON.stringify(toArchived(of)));
  const folder = archiveFolder(of.clusterId, of.config.namespace.tenant, of.config.id);
  const name = archiveName(folder, of.version.version_id, sha256(document));
  await storage.put(name, document);
  await readArchivedVersion(storage, name);
  return { name, bytes: document.byteLength };
}

/**
 * An archived version and its content. Rejects with `not_found` when there is none of this name, and with
 * `validation_failed` when it is damaged.
 */
export async function readArchivedVersion(
  storage: ObjectStorage,
  name: string,
): Promise<{ archived: ArchivedVersion; content: Uint8Array }> {
  const document = await storage.get(name, OBJECT_BYTES_MAX);
  if (sha256(document) !== hashOfArchive(name)) throw damaged(name);
  const parsed = archivedVersion.safeParse(parseJson(document, name));
  if (!parsed.success) throw damaged(name, parsed.error);
  const { version, content_base64 } = parsed.data;
  const content = Buffer.from(content_base64, "base64");
  if (content.byteLength !== version.content_bytes || sha256(content) !== version.sha256) throw damaged(name);
  return { archived: parsed.data, content };
}

function parseJson(document: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(document)) as unknown;
  } catch (cause) {
    throw damaged(name, cause);
  }
}

function damaged(name: string, cause?: unknown): ConfluxError {
  return new ConfluxError("validation_failed", `${name} is damaged: it is not what its name says`, { cause });
}

/** Says nothing of when or by whom it is archived: then the same version would be another document each time. */
function toArchived({
  config,
  version,
  content,
}: {
  config: Config;
  version: ConfigVersion;
  content: Uint8Array;
}): ArchivedVersion {
  const { tenant, app, env } = config.namespace;
  const { deprecated_at_ms: deprecatedAtMs } = version;
  const time = (ms: number): string => new Date(ms).toISOString();
  return {
    format: ARCHIVE_FORMAT,
    config: { id: config.id, tenant, app, env, name: config.name, encrypted: config.encrypted },
    version: {
      version_id: version.version_id,
      format: version.format,
      description: version.description,
      creator: version.creator,
      created_at: time(version.created_at_ms),
      deprecated_at: deprecatedAtMs === undefined ? null : time(deprecatedAtMs),
      schema: version.schema,
      content_bytes: version.content_bytes,
      sha256: version.sha256,
      sealed: version.sealed ?? null,
    },
    content_base64: Buffer.from(content).toString("base64"),
  };
}
