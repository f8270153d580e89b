import type { FieldError } from "./error-codes.ts";

export const LONE_SURROGATE_MESSAGE = "has a lone surrogate, which is no Unicode text";
/** Errors of one refusal. */
const ERRORS_MAX = 50;
/** How half a character comes into JSON: UTF-8 has none, so only an escape can name one. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** An object or array within which the walk is. */
interface Open {
  value: Record<string, unknown>;
  /** Null for an array, whose names are numbers. */
  names: readonly string[] | null;
  /** Of the member that the walk is at. */
  at: number;
  length: number;
}

/**
 * The texts and names in a JSON document that hold half a character, by their paths; the document's text is `text`, and
 * `parse` its value. They are no Unicode: strict readers refuse JSON that has one, and each store makes something else of it.
 */
export function findLoneSurrogates(text: string, parse: () => unknown): FieldError[] {
  if (!SURROGATE_ESCAPE.test(text)) return [];
  const errors: FieldError[] = [];
  // No recursion, for whoever asks need not have bounded the depth, and nothing kept but the way down to where the walk is: a
  // document may have millions of members.
  const way: Open[] = [];
  const say = (): void => void errors.push({ path: pathOf(way), message: LONE_SURROGATE_MESSAGE });
  const enter = (value: unknown): void => {
    if (typeof value === "string") {
      if (!value.isWellFormed()) say();
    } else if (typeof value === "object" && value !== null) {
      const names = Array.isArray(value) ? null : Object.keys(value);
      const length = names === null ? (value as unknown[]).length : names.length;
      way.push({ value: value as Record<string, unknown>, names, at: -1, length });
    }
  };
  enter(parse());
  for (let open = way.at(-1); open !== undefined && errors.length < ERRORS_MAX; open = way.at(-1)) {
    open.at += 1;
    if (open.at >= open.length) {
      way.pop();
      continue;
    }
    const name = nameOf(open);
    if (name.isWellFormed()) enter(open.value[name]);
    else say();
  }
  return errors;
}

const nameOf = ({ names, at }: Open): string => names?.[at] ?? String(at);

/** The refusal is JSON, too, so what it names is well-formed. */
function pathOf(way: readonly Open[]): string {
  return way
    .map((open) => `/${nameOf(open).toWellFormed().replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}
