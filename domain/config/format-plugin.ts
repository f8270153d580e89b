import type { ConfigFormat } from "./config.ts";

/** Where something stands in a text: both from 1; a column counts UTF-16 code units, as editors do. */
export interface TextPosition {
  line: number;
  column: number;
}
export interface ParseError extends TextPosition {
  message: string;
}

export type Locate = (paths: readonly (readonly string[])[]) => Generator<void, (TextPosition | null)[]>;

export type ParseOutcome =
  | {
      ok: true;
      /** The document as JSON data: null, boolean, number, string, array, plain object; never cyclic. */
      value: unknown;
      /**
       * Where the values stand that these paths of keys and positions lead to, in the order of the paths; null where the
       * format cannot tell. Yields when others should get a turn, since a document may be large and its faults many.
       */
      locate?: Locate;
    }
  | { ok: false; errors: ParseError[] };

/**
 * What a format must be able to do (C3). A plugin never throws for bad bytes, never changes them (what is stored and
 * served are the bytes as they came) and bounds its own work: depth by `CONTENT_DEPTH_MAX`, size by `CONTENT_BYTES_MAX`.
 * A new format is one file that exports one of these, and one line in adapters/format/registry.ts.
 */
export interface FormatPlugin {
  name: ConfigFormat;
  /** False for formats without structure: a JSON Schema cannot apply to them. */
  structured: boolean;
  parse(bytes: Uint8Array): ParseOutcome;
}
