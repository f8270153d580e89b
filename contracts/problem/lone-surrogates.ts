import type { FieldError } from "./error-codes.ts";

export const LONE_SURROGATE_MESSAGE = "has a lone surrogate, which is no Unicode text";
/** Errors of one refusal. */
const ERRORS_MAX = 50;
/** How half a character comes into JSON: UTF-8 has none, so only an escape can name one. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/**
 * The texts and names in a JSON document that hold half a character, by their paths; the document's text is `text`, and
 * `parse` its value. They are no Unicode: strict readers refuse JSON that has one, and each store makes something else of it.
 */
export function findLoneSurrogates(text: string, parse: () => unknown): FieldError[] {
  if (!SURROGATE_ESCAPE.test(text)) return [];
  const errors: FieldError[] = [];
  // A list that grows, and no recursion: whoever asks need not have bounded the depth.
  const left: { path: string; value: unknown }[] = [{ path: "", value: parse() }];
  for (const { path, value } of left) {
    if (errors.length >= ERRORS_MAX) break;
    if (typeof value === "string") {
      if (!value.isWellFormed()) errors.push({ path, message: LONE_SURROGATE_MESSAGE });
    } else if (typeof value === "object" && value !== null) {
      for (const [name, member] of Object.entries(value)) {
        // The refusal is JSON, too.
        const at = `${path}/${name.toWellFormed().replaceAll("~", "~0").replaceAll("/", "~1")}`;
        if (name.isWellFormed()) left.push({ path: at, value: member });
        else errors.push({ path: at, message: LONE_SURROGATE_MESSAGE });
      }
    }
  }
  return errors;
}
