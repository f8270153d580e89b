/** A client states its labels in headers of this prefix; what follows is the label's name. */
export const LABEL_HEADER_PREFIX = "x-client-label-";

export interface LabelLimits {
  labelsMax: number;
  nameBytesMax: number;
  valueBytesMax: number;
}

export type ParsedLabels =
  | { ok: true; labels: ReadonlyMap<string, string> }
  | { ok: false; errors: { path: string; message: string }[] };

const NO_LABELS: ParsedLabels = { ok: true, labels: new Map() };

/**
 * Reads the labels among a request's headers. Names come out in lower case. They are claims by the client: whoever
 * calls this must not gate a secret by them. Refuses more labels, longer names or longer values than `limits` allow;
 * `path` of an error is the header's name.
 */
export function parseClientLabels(
  headers: Iterable<readonly [string, string]>,
  limits: LabelLimits,
): ParsedLabels {
  let labels: Map<string, string> | null = null;
  const errors: { path: string; message: string }[] = [];
  let count = 0;
  for (const [header, value] of headers) {
    if (!isLabelHeader(header)) continue;
    count += 1;
    if (count > limits.labelsMax) continue;
    const name = header.slice(LABEL_HEADER_PREFIX.length).toLowerCase();
    const fault = labelFault(name, value, limits);
    if (fault !== null)
      errors.push({ path: LABEL_HEADER_PREFIX + name.slice(0, limits.nameBytesMax), message: fault });
    else (labels ??= new Map()).set(name, value);
  }
  if (count > limits.labelsMax) {
    errors.push({
      path: LABEL_HEADER_PREFIX,
      message: `${count} labels; at most ${limits.labelsMax} are accepted`,
    });
  }
  if (errors.length > 0) return { ok: false, errors };
  return labels === null ? NO_LABELS : { ok: true, labels };
}

function isLabelHeader(header: string): boolean {
  // Most headers differ in the length or the first letter; only the others are worth lower-casing.
  if (header.length < LABEL_HEADER_PREFIX.length) return false;
  const first = header.charCodeAt(0);
  if (first !== 0x78 && first !== 0x58) return false;
  return header.slice(0, LABEL_HEADER_PREFIX.length).toLowerCase() === LABEL_HEADER_PREFIX;
}

function labelFault(name: string, value: string, limits: LabelLimits): string | null {
  if (name === "") return "a label needs a name after the prefix";
  if (utf8Bytes(name) > limits.nameBytesMax) return `a label's name has at most ${limits.nameBytesMax} bytes`;
  if (utf8Bytes(value) > limits.valueBytesMax)
    return `a label's value has at most ${limits.valueBytesMax} bytes`;
  return null;
}

/** Bytes of `text` in UTF-8; a lone surrogate counts as the replacement character it would be written as. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
