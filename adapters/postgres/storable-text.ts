/** Characters of a text of the log that a row holds, unless its column has a limit of its own. */
const TEXT_CHARACTERS_MAX = 1024;

/** What Postgres can hold of a text of the log: no NUL and no half of a surrogate pair; nothing else is refused by it. */
export function storableText(text: string, charactersMax = TEXT_CHARACTERS_MAX): string {
  return text.slice(0, charactersMax).replaceAll("\u0000", "\uFFFD").toWellFormed();
}
