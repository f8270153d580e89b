import { openObjectStorage } from "../../adapters/object-storage/open-object-storage.ts";
import { BACKUPS_MAX } from "../../contracts/backup/backup-manifest.ts";
import { EnvironmentError } from "./environment-error.ts";
import type { BackupSettings } from "./backup-service.ts";

export interface BackupEnvironment extends BackupSettings {
  /** An absolute path, `file:///path` or `s3://bucket/prefix`. */
  place: string;
  /** A stand-in for S3; undefined: S3 itself. */
  endpointUrl: string | undefined;
  /** Between two rounds that enforce the retention of configs, whose versions are archived there; 0: never. */
  retentionIntervalMs: number;
}

const INTERVAL_S = { fallback: 3_600, max: 31 * 24 * 3_600 };
const KEEP_COUNT = { fallback: 72, max: BACKUPS_MAX / 2 };
const RETENTION_S = { fallback: 60, max: 31 * 24 * 3_600 };
const KEEP_DAYS = { fallback: 30, max: 3_650 };

/** Where backups go and when; null without CONFLUX_BACKUP_STORE. Throws `EnvironmentError`. */
export function readBackupEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): BackupEnvironment | null {
  const place = env["CONFLUX_BACKUP_STORE"];
  if (place === undefined || place === "") return null;
  const endpointUrl = env["S3_ENDPOINT"] === "" ? undefined : env["S3_ENDPOINT"];
  if (endpointUrl !== undefined && !URL.canParse(endpointUrl)) {
    throw new EnvironmentError("S3_ENDPOINT is not valid: a URL like http://localhost:9000");
  }
  try {
    openObjectStorage(place, {});
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EnvironmentError(`CONFLUX_BACKUP_STORE is not valid: ${error.message}`);
  }
  const whole = (name: string, { fallback, max }: { fallback: number; max: number }, min: number): number => {
    const text = env[name];
    const value = text === undefined || text === "" ? fallback : Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new EnvironmentError(`${name} is not valid: a whole number from ${min} to ${max}`);
  };
  return {
    place,
    endpointUrl,
    intervalMs: whole("CONFLUX_BACKUP_INTERVAL_S", INTERVAL_S, 0) * 1000,
    retentionIntervalMs: whole("CONFLUX_RETENTION_INTERVAL_S", RETENTION_S, 0) * 1000,
    keepCount: whole("CONFLUX_BACKUP_KEEP_COUNT", KEEP_COUNT, 1),
    keepDays: whole("CONFLUX_BACKUP_KEEP_DAYS", KEEP_DAYS, 1),
  };
}
