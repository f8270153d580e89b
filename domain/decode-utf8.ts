/** Text of UTF-8 that an encoder made: for rules that have no decoder at hand. Takes no care of what is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length;) {
    const first = bytes[i] ?? 0;
    const [length, bits] = lengthOf(first);
    let code = bits;
    for (let k = 1; k < length; k += 1) code = (code << 6) | ((bytes[i + k] ?? 0) & 0x3f);
    text += String.fromCodePoint(code);
    i += length;
  }
  return text;
}

/** How many bytes a character has, and what its first one adds to it. */
function lengthOf(first: number): [number, number] {
  if (first < 0x80) return [1, first];
  if (first < 0xe0) return [2, first & 0x1f];
  if (first < 0xf0) return [3, first & 0x0f];
  return [4, first & 0x07];
}
