import { z } from "zod";
import { pad } from "../../domain/command/state-view.ts";
import { CONFIG_FORMATS } from "../../domain/config/config.ts";

/**
 * A version that its config's retention has removed, as it lies in the object storage: one JSON document, written once. Its
 * name has its own SHA-256, so the same version archived twice is one object, and one that changed in between (its data key
 * was wrapped anew) or has the same number after a restore is another.
 *
 *   {cluster_id}/versions/{tenant}/{config_id}/{version, 16 digits}-{sha256 of the document}.json
 */
export const ARCHIVE_FORMAT = 1;

const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const archivedVersion = z.object({
  format: z.literal(ARCHIVE_FORMAT),
  config: z.object({
    id: z.string(),
    tenant: z.string(),
    app: z.string(),
    env: z.string(),
    name: z.string(),
    encrypted: z.boolean(),
  }),
  version: z.object({
    version_id: z.number().int().positive(),
    format: z.enum(CONFIG_FORMATS),
    description: z.string(),
    creator: z.string(),
    created_at: z.iso.datetime(),
    /** When a publish plan put another version in its place; null: none did. */
    deprecated_at: z.iso.datetime().nullable(),
    /** Text of the version's own JSON Schema; null: its config's held. */
    schema: z.string().nullable(),
    content_bytes: count,
    /** Of the bytes below. */
    sha256,
    /** Of an encrypted config: the KMS key that wraps the data key, and the hash that does not change with it. */
    sealed: z.object({ key_id: z.string(), content_sha256: sha256 }).nullable(),
  }),
  /** The content as it was stored: of an encrypted config its envelope, which nobody has opened. */
  content_base64: z.base64(),
});
export type ArchivedVersion = z.infer<typeof archivedVersion>;

/** Where the archived versions of a config lie. */
export function archiveFolder(clusterId: string, tenant: string, configId: string): string {
  return `${clusterId}/versions/${tenant}/${configId}/`;
}

/** `hash`: SHA-256 of the document, lower-case hex. */
export function archiveName(folder: string, versionId: number, hash: string): string {
  return `${folder}${pad(versionId)}-${hash}.json`;
}

/** The hash that a name says the document has; null for what is no such name. */
export function hashOfArchive(name: string): string | null {
  return /\/\d{16}-([0-9a-f]{64})\.json$/.exec(name)?.[1] ?? null;
}
