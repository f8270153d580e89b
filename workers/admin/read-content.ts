import { formatPlugin } from "../../adapters/format/registry.ts";
import { checkSchema, validateJsonSchema } from "../../adapters/json-schema/validate-json-schema.ts";
import { CONTENT_BYTES_MAX, SCHEMA_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ConfigFormat } from "../../domain/config/config.ts";
import { pauseForOthers } from "./pause-for-others.ts";
import { sha256Hex } from "../../adapters/digest/sha256-hex.ts";

interface ContentBody {
  content?: string | undefined;
  content_base64?: string | undefined;
}

/** A body's content as bytes with their SHA-256; `payload_too_large` over `CONTENT_BYTES_MAX`. */
export async function readContent(body: ContentBody): Promise<{ bytes: Uint8Array; sha256: string }> {
  const bytes =
    body.content === undefined
      ? fromBase64(body.content_base64 ?? "")
      : new TextEncoder().encode(body.content);
  if (bytes.byteLength > CONTENT_BYTES_MAX) {
    const path = body.content === undefined ? "/content_base64" : "/content";
    const message = `${bytes.byteLength} bytes; at most ${CONTENT_BYTES_MAX}`;
    throw new ConfluxError("payload_too_large", "The content is too large", { errors: [{ path, message }] });
  }
  return { bytes, sha256: await sha256Hex(bytes) };
}

function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** A body's schema as the text to store; null when it has none. */
export function schemaText(schema: Record<string, unknown> | string | undefined): string | null {
  if (schema === undefined) return null;
  const text = typeof schema === "string" ? schema : JSON.stringify(schema);
  const size = new TextEncoder().encode(text).byteLength;
  if (size <= SCHEMA_BYTES_MAX) return text;
  const message = `${size} bytes; at most ${SCHEMA_BYTES_MAX}`;
  throw new ConfluxError("payload_too_large", "The schema is too large", {
    errors: [{ path: "/schema", message }],
  });
}

/**
 * Refuses (`validation_failed`, paths below `/schema`) a schema that cannot be used or cannot apply to the format, whatever
 * the content is that comes with it (C3).
 */
export async function validateSchema(format: ConfigFormat, schema: string): Promise<void> {
  refuseUnstructured(format);
  checkSchema(schema);
  // Preparing a large one is undivided, and many may come in one request.
  await pauseForOthers();
}

function refuseUnstructured(format: ConfigFormat): void {
  if (formatPlugin(format).structured) return;
  const message = `a JSON Schema cannot apply to format ${format}`;
  throw invalid("The schema cannot apply", [{ path: "/schema", message }]);
}

/**
 * Refuses (`validation_failed`) content that is not of its format or does not satisfy its schema (C3). Paths begin with
 * `/content`, or `/schema` when the schema is at fault; line and column stand where they are known. Judging a large
 * document pauses again and again, so that other requests to this isolate are answered meanwhile.
 */
export async function validateContent(input: {
  format: ConfigFormat;
  bytes: Uint8Array;
  schema: string | null;
  /** It is to be encrypted: a parser's own words may quote it, and are left out (K5). */
  isSecret?: boolean;
}): Promise<void> {
  const plugin = formatPlugin(input.format);
  if (input.schema !== null) refuseUnstructured(input.format);
  const parsed = plugin.parse(input.bytes);
  if (!parsed.ok) {
    const words = input.isSecret === true ? { message: `no valid ${plugin.name} here` } : {};
    const errors = parsed.errors.map((e) => ({ path: "/content", ...e, ...words }));
    throw invalid(`The content is not valid ${plugin.name}`, errors);
  }
  if (input.schema === null) return;
  const { value, locate } = parsed;
  const errors = await validateJsonSchema({ schema: input.schema, value, locate }, pauseForOthers);
  if (errors.length > 0) throw invalid("The content does not satisfy its schema", errors);
}

function invalid(detail: string, errors: ConfluxError["errors"]): ConfluxError {
  return new ConfluxError("validation_failed", detail, { errors });
}
