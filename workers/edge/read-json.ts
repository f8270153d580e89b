import type { z } from "zod";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { findLoneSurrogates } from "../../contracts/problem/lone-surrogates.ts";

/** Errors of one refusal by a schema. */
const FIELD_ERRORS_MAX = 50;

/**
 * The body of a request as `schema` has it. Throws `payload_too_large` past `bytesMax`, `malformed_request` for what is
 * no JSON in UTF-8, and `validation_failed` with the fields at fault (those with half a character alone, when there are
 * any) and `expected`, what would be accepted.
 */
export async function readJson<S extends z.ZodType>(
  request: Request,
  { bytesMax, schema, expected }: { bytesMax: number; schema: S; expected: string },
): Promise<z.infer<S>> {
  const body = await readBody(request, bytesMax);
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(body);
    json = JSON.parse(text);
  } catch (cause) {
    throw new ConfluxError("malformed_request", "the body is not JSON in UTF-8", { cause });
  }
  const halves = findLoneSurrogates(text, () => json);
  if (halves.length > 0)
    throw new ConfluxError("validation_failed", `expected ${expected}`, { errors: halves });
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues
    .slice(0, FIELD_ERRORS_MAX)
    .map(({ path, message }) => ({ path: `/${path.join("/")}`, message }));
  throw new ConfluxError("validation_failed", `expected ${expected}`, { errors });
}

/** Reads a body, giving up as soon as it is over its limit. */
async function readBody(request: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of request.body ?? []) {
    const bytes = chunk as Uint8Array;
    total += bytes.byteLength;
    if (total > bytesMax) {
      throw new ConfluxError("payload_too_large", `the body is over ${bytesMax} bytes`);
    }
    chunks.push(bytes);
  }
  const body = new Uint8Array(total);
  let offset = 0;
  for (const bytes of chunks) {
    body.set(bytes, offset);
    offset += bytes.byteLength;
  }
  return body;
}
