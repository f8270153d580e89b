import { z } from "zod";
import { BATCH_FETCH_MAX } from "../limits.ts";

/** Bytes of a batch request: names and etags of BATCH_FETCH_MAX configs. */
export const BATCH_BODY_BYTES_MAX = 256 * 1024;
/** Content bytes of one batch answer; an item past it is answered with 413 and is to be fetched by itself. */
export const BATCH_ANSWER_BYTES_MAX = 8 * 1024 * 1024;

const ifNoneMatch = z.record(z.string(), z.string()).optional();

/** `POST /api/v1/fetch/batch`: configs by name, or a namespace in pages. Names are checked one by one. */
export const batchRequestSchema = z.union([
  z.strictObject({ configs: z.array(z.string()).min(1).max(BATCH_FETCH_MAX), if_none_match: ifNoneMatch }),
  z.strictObject({
    namespace: z.string(),
    cursor: z.string().max(1024).nullish(),
    if_none_match: ifNoneMatch,
  }),
]);
export type BatchRequest = z.infer<typeof batchRequestSchema>;

/** One config of a batch, with what a fetch would have said in its headers. */
export type BatchItem =
  | { config: string; status: 404 }
  | (BatchVariant & { status: 304 | 413 })
  | (BatchVariant & { status: 200; content_type: string; content: string })
  | (BatchVariant & { status: 200; content_type: string; content_base64: string });

interface BatchVariant {
  config: string;
  version: number;
  /** `sha256:<hex>` */
  hash: string;
  etag: string;
}

/** By name: in the order asked for. By namespace: only what the client can get, and a cursor while there is more. */
export interface BatchAnswer {
  items: BatchItem[];
  /** The signed position that all items reflect. */
  index: string;
  next_cursor: string | null;
}
