import { LabelList, type Labels } from "../release-rule/labels.ts";

/** A client states its labels in headers of this prefix; what follows is the label's name. */
export const LABEL_HEADER_PREFIX = "x-client-label-";
const LABEL_FIRST_UNIT = LABEL_HEADER_PREFIX.charCodeAt(0);

export interface LabelLimits {
  labelsMax: number;
  nameBytesMax: number;
  valueBytesMax: number;
}

export type ParsedLabels = { ok: true; labels: Labels } | { ok: false; errors: LabelError[] };
export interface LabelError {
  path: string;
  message: string;
}

/** Of a UTF-16 unit; a pair of surrogates has four. */
const UTF8_BYTES_PER_UNIT_MAX = 3;

/**
 * Collects the labels among a request's headers, given one at a time. Names come out in lower case. They are claims by
 * the client: whoever uses this must not gate a secret by them. Refuses more labels, longer names or longer values than
 * `limits` allow; `path` of an error is the header's name.
 */
export class ClientLabels {
  readonly #limits: LabelLimits;
  /** Null as long as there are none: on most requests. */
  #errors: LabelError[] | null = null;
  readonly #labels = new LabelList();
  #count = 0;

  constructor(limits: LabelLimits) {
    this.#limits = limits;
  }

  /** Takes a header (its name in lower case) when it states a label, and says whether it does. */
  add(header: string, value: string): boolean {
    // Most headers differ in the first letter already.
    if (header.charCodeAt(0) !== LABEL_FIRST_UNIT || !header.startsWith(LABEL_HEADER_PREFIX)) return false;
    this.#count += 1;
    if (this.#count > this.#limits.labelsMax) return true;
    const name = header.slice(LABEL_HEADER_PREFIX.length);
    const message = labelFault(name, value, this.#limits);
    if (message === null) this.#labels.set(name, value);
    else this.#refuse(name.slice(0, this.#limits.nameBytesMax), message);
    return true;
  }

  /** What was given so far; asked for once, at the end. */
  parsed(): ParsedLabels {
    const { labelsMax } = this.#limits;
    if (this.#count > labelsMax) this.#refuse("", `${this.#count} labels; at most ${labelsMax} are accepted`);
    if (this.#errors !== null) return { ok: false, errors: this.#errors };
    return { ok: true, labels: this.#labels };
  }

  #refuse(name: string, message: string): void {
    (this.#errors ??= []).push({ path: LABEL_HEADER_PREFIX + name, message });
  }
}

/** The labels among headers, as `ClientLabels` reads them. */
export function parseClientLabels(
  headers: Iterable<readonly [string, string]>,
  limits: LabelLimits,
): ParsedLabels {
  const labels = new ClientLabels(limits);
  for (const [header, value] of headers) labels.add(header.toLowerCase(), value);
  return labels.parsed();
}

function labelFault(name: string, value: string, limits: LabelLimits): string | null {
  if (name === "") return "a label needs a name after the prefix";
  if (isLonger(name, limits.nameBytesMax)) return `a label's name has at most ${limits.nameBytesMax} bytes`;
  if (isLonger(value, limits.valueBytesMax))
    return `a label's value has at most ${limits.valueBytesMax} bytes`;
  return null;
}

/** Most texts are so short that their bytes need not be counted. */
function isLonger(text: string, bytesMax: number): boolean {
  return text.length * UTF8_BYTES_PER_UNIT_MAX > bytesMax && utf8Bytes(text) > bytesMax;
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
