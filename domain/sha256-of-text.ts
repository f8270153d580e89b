import { sha256Hex } from "./sha256.ts";

/** `sha256Hex` of the UTF-8 of a text. A lone surrogate counts as U+FFFD. */
export function sha256OfText(text: string): string {
  // At most three bytes a code unit.
  const bytes = new Uint8Array(3 * text.length);
  return sha256Hex(bytes.subarray(0, encode(text, bytes)));
}

function encode(text: string, into: Uint8Array): number {
  let at = 0;
  for (let i = 0; i < text.length; i += 1) {
    let code = text.codePointAt(i) ?? 0;
    if (code > 0xffff) i += 1;
    else if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) {
      into[at++] = code;
      continue;
    }
    const more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    into[at++] = ([0, 0xc0, 0xe0, 0xf0][more] ?? 0) | (code >> (6 * more));
    for (let left = more - 1; left >= 0; left -= 1) into[at++] = 0x80 | ((code >> (6 * left)) & 0x3f);
  }
  return at;
}
