import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import type { AwsEndpoint } from "../aws/aws-endpoint.ts";
import { DirectoryObjectStorage } from "./directory-object-storage.ts";
import { S3ObjectStorage } from "./s3-object-storage.ts";

/**
 * The storage that a setting names: an absolute path, `file:///path`, or `s3://bucket/prefix`. Throws a RangeError that
 * says what would be accepted. Nothing is looked at before the first call.
 */
export function openObjectStorage(place: string, endpoint: AwsEndpoint): ObjectStorage {
  if (isAbsolute(place)) return new DirectoryObjectStorage(place);
  const s3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w.~/-]*))?$/.exec(place);
  if (s3 !== null) {
    const prefix = (s3[2] ?? "").replace(/\/+$/, "");
    return new S3ObjectStorage({ bucket: s3[1] ?? "", prefix: prefix === "" ? "" : `${prefix}/`, endpoint });
  }
  if (place.startsWith("file:///"))
    return new DirectoryObjectStorage(fileURLToPath(place).replace(/\/$/, ""));
  throw new RangeError("an absolute path, file:///path or s3://bucket/prefix");
}
