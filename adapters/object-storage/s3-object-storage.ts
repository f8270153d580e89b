import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import {
  checkObjectName,
  checkObjectSize,
  OBJECT_LIST_MAX,
  objectNotFound,
  type ObjectPage,
  type ObjectStorage,
  objectTooLarge,
} from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { type AwsEndpoint, clientOptions } from "../aws/aws-endpoint.ts";
import { isAwsError } from "../aws/map-aws-error.ts";

/** An object is larger than what other services are asked for, and takes longer until an answer begins. */
const REQUEST_MS_MAX = 30_000;
/** All attempts at one call with all of its answer: an answer that begins and then stops must not hold a job for ever. */
const CALL_MS_MAX = 120_000;

/**
 * Objects of an S3 bucket below a prefix (empty, or ending in a slash). S3 shows a new object whole or not at all, and
 * every reader sees it once its PUT is answered.
 */
export class S3ObjectStorage implements ObjectStorage {
  readonly url: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #callMsMax: number;

  constructor(options: {
    bucket: string;
    prefix: string;
    endpoint: AwsEndpoint;
    requestMsMax?: number;
    callMsMax?: number;
  }) {
    const { requestHandler, ...client } = clientOptions(options.endpoint);
    this.#bucket = options.bucket;
    this.#prefix = options.prefix;
    this.#callMsMax = options.callMsMax ?? CALL_MS_MAX;
    this.url = `s3://${options.bucket}/${options.prefix}`;
    this.#client = new S3Client({
      ...client,
      requestHandler: { ...requestHandler, requestTimeout: options.requestMsMax ?? REQUEST_MS_MAX },
      // A stand-in answers at one address, whatever the bucket.
      forcePathStyle: options.endpoint.url !== undefined,
    });
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    checkObjectSize(name, bytes.byteLength);
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: this.#keyOf(name), Body: bytes });
    await this.#client.send(command, this.#limits()).catch(refuse);
  }

  async get(name: string, bytesMax: number): Promise<Uint8Array> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: this.#keyOf(name) });
    const { Body, ContentLength } = await this.#client
      .send(command, this.#limits())
      .catch((error: unknown) => {
        if (isAwsError(error, "NoSuchKey", "NotFound")) throw objectNotFound(name);
        return refuse(error);
      });
    if (Body === undefined) throw new ConfluxError("unavailable", "S3 answered without a body.");
    if (ContentLength === undefined || ContentLength > bytesMax) {
      // An unread body would keep the connection.
      await Body.transformToWebStream().cancel();
      throw objectTooLarge(name, ContentLength ?? Infinity, bytesMax);
    }
    return Body.transformToByteArray().catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ConfluxError("unavailable", `${name} did not arrive whole from S3: ${reason}`, { cause });
    });
  }

  async list(prefix: string, options: { after: string | null; limit: number }): Promise<ObjectPage> {
    const command = new ListObjectsV2Command({
      Bucket: this.#bucket,
      Prefix: this.#prefix + prefix,
      MaxKeys: Math.min(options.limit, OBJECT_LIST_MAX),
      ...(options.after === null ? {} : { StartAfter: this.#prefix + options.after }),
    });
    const { Contents = [], IsTruncated } = await this.#client.send(command, this.#limits()).catch(refuse);
    const items = Contents.map(({ Key = "", Size = 0, LastModified }) => ({
      name: Key.slice(this.#prefix.length),
      bytes: Size,
      modifiedAtMs: LastModified?.getTime() ?? 0,
    }));
    return { items, next: IsTruncated === true ? (items.at(-1)?.name ?? null) : null };
  }

  async remove(names: readonly string[]): Promise<void> {
    const keys = names.map((name) => this.#keyOf(name));
    for (let from = 0; from < keys.length; from += OBJECT_LIST_MAX) {
      const Objects = keys.slice(from, from + OBJECT_LIST_MAX).map((Key) => ({ Key }));
      const command = new DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } });
      const { Errors = [] } = await this.#client.send(command, this.#limits()).catch(refuse);
      const [first] = Errors;
      if (first !== undefined) {
        throw new ConfluxError("unavailable", `S3 did not remove ${first.Key ?? "an object"}: ${first.Code}`);
      }
    }
  }

  #limits(): { abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.#callMsMax) };
  }

  #keyOf(name: string): string {
    checkObjectName(name);
    return this.#prefix + name;
  }
}

function refuse(error: unknown): never {
  if (error instanceof ConfluxError) throw error;
  const isRefusal = error instanceof Error && "$fault" in error && error.$fault === "client";
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  throw new ConfluxError("unavailable", `S3 ${isRefusal ? "refuses" : "does not answer"}: ${reason}`, {
    cause: error,
  });
}
