import type { FieldError } from "../command/command-error.ts";
import { LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX } from "../limits.ts";
import { utf8Length } from "../utf8-length.ts";

/** What may stand in a header's name (RFC 9110 token), lower case: labels arrive as `X-Client-Label-{Name}`. */
const LABEL_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

/** A label's name as it is stored: in lower case. Tells `errors` of one that no client could send. */
export function checkLabelName(name: string, path: string, errors: FieldError[]): string {
  const lower = name.toLowerCase();
  if (!LABEL_NAME.test(lower) || lower.length > LABEL_NAME_BYTES_MAX) {
    const message = `a label name is 1-${LABEL_NAME_BYTES_MAX} of the characters A-Z a-z 0-9 ! # $ % & ' * + - . ^ _ \` | ~`;
    errors.push({ path, message });
  }
  return lower;
}

/** Tells `errors` of a text that is longer than a label's value may be, or that no header can carry. */
export function checkLabelValue(value: string, path: string, errors: FieldError[]): void {
  if (utf8Length(value) <= LABEL_VALUE_BYTES_MAX && !hasControl(value)) return;
  const message = `a label value has at most ${LABEL_VALUE_BYTES_MAX} bytes and no control characters`;
  errors.push({ path, message });
}

export function hasControl(value: string): boolean {
  for (let i = 0; i < value.length; i += 1) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}
