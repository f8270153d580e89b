import { ConfluxError } from "../problem/error-codes.ts";

/** Bytes of one object: each goes in one request, so none needs to be put together from parts. */
export const OBJECT_BYTES_MAX = 64 * 1024 * 1024;
export const OBJECT_NAME_CHARS_MAX = 512;
export const OBJECT_LIST_MAX = 1000;

export interface StoredObject {
  name: string;
  bytes: number;
  modifiedAtMs: number;
}
export interface ObjectPage {
  /** Ascending by name. */
  items: StoredObject[];
  /** Names after it are on the next page; null on the last one. */
  next: string | null;
}

/**
 * Where backups and archived versions lie: a directory, a bucket, or memory. An object is there whole or not at all, and a new one takes the
 * place of the old one at once. Every verb rejects with `unavailable` when the storage is away or full, and with a
 * RangeError for a name that is none (`checkObjectName`).
 */
export interface ObjectStorage {
  /** What its objects' names stand below: `file:///var/backups/` or `s3://bucket/prefix/`. */
  readonly url: string;
  /** Durable when it resolves. Rejects with a RangeError over OBJECT_BYTES_MAX. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Rejects with `not_found`, and with `payload_too_large` for one of more than `bytesMax`, which is not read. */
  get(name: string, bytesMax: number): Promise<Uint8Array>;
  /** Objects whose names begin with `prefix`, after `after`, at most `limit` (OBJECT_LIST_MAX). */
  list(prefix: string, options: { after: string | null; limit: number }): Promise<ObjectPage>;
  /** Those that are not there are none. */
  remove(names: readonly string[]): Promise<void>;
}

/** Segments of a name; none begins with a dot, so that no name leads elsewhere and none is hidden. */
const SEGMENT = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$/;

/** Throws a RangeError for what is no name: segments of letters, digits and `._~-`, divided by slashes. */
export function checkObjectName(name: string): void {
  if (name.length <= OBJECT_NAME_CHARS_MAX && name.split("/").every((part) => SEGMENT.test(part))) return;
  throw new RangeError(`"${name.slice(0, 64)}" is no name of an object`);
}

export function checkObjectSize(name: string, bytes: number): void {
  if (bytes > OBJECT_BYTES_MAX) throw new RangeError(`${name} has ${bytes} bytes, over ${OBJECT_BYTES_MAX}`);
}

export function objectNotFound(name: string): ConfluxError {
  return new ConfluxError("not_found", `the storage holds no ${name}`);
}

export function objectTooLarge(name: string, bytes: number, bytesMax: number): ConfluxError {
  return new ConfluxError("payload_too_large", `${name} has ${bytes} bytes, more than ${bytesMax}`);
}
