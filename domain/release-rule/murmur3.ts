/**
 * MurmurHash3 x86 32-bit over the UTF-8 of a text (Austin Appleby, public domain; the algorithm only). A hash may be
 * begun with one text and finished with many others, without joining the two.
 */
export interface Murmur3State {
  hash: number;
  /** Bytes that do not fill a block of four yet, little endian, and how many bits they are. */
  tail: number;
  tailBits: number;
  bytes: number;
}

const BLOCK_FACTOR_1 = 0xcc9e2d51;
const BLOCK_FACTOR_2 = 0x1b873593;

/** The state after `text`, from nothing (`seed`). */
export function beginMurmur3(text: string, seed = 0): Murmur3State {
  const state = { hash: seed | 0, tail: 0, tailBits: 0, bytes: 0 };
  absorb(state, text);
  return state;
}

/** The hash, 0 to 2^32 - 1, of what `begun` has seen followed by `text`; `begun` stays as it is. */
export function finishMurmur3(begun: Readonly<Murmur3State>, text: string): number {
  const { hash, tail, tailBits, bytes } = begun;
  const state = { hash, tail, tailBits, bytes };
  absorb(state, text);
  let h = state.tailBits === 0 ? state.hash : state.hash ^ scramble(state.tail);
  h ^= state.bytes;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function absorb(state: Murmur3State, text: string): void {
  let { hash, tail, tailBits, bytes } = state;
  for (let i = 0; i < text.length; i += 1) {
    let code = text.charCodeAt(i);
    // The bytes of one character, the first one lowest.
    let packed = code;
    let bits = 8;
    if (code >= 0x80) {
      if (code >= 0xd800 && code <= 0xdfff) {
        const full = text.codePointAt(i) ?? code;
        if (full > 0xffff) i += 1;
        // A lone surrogate has no UTF-8: it counts as the replacement character.
        code = full > 0xffff ? full : 0xfffd;
      }
      [packed, bits] = utf8(code);
    }
    tail |= packed << tailBits;
    bytes += bits >>> 3;
    const filled = tailBits + bits;
    if (filled < 32) {
      tailBits = filled;
      continue;
    }
    hash ^= scramble(tail);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
    tail = tailBits === 0 ? 0 : packed >>> (32 - tailBits);
    tailBits = filled - 32;
  }
  state.hash = hash;
  state.tail = tail;
  state.tailBits = tailBits;
  state.bytes = bytes;
}

function scramble(block: number): number {
  const k = Math.imul(block, BLOCK_FACTOR_1);
  return Math.imul((k << 15) | (k >>> 17), BLOCK_FACTOR_2);
}

/** Bytes of a code point from 0x80 on, packed little endian, and how many bits they are. */
function utf8(code: number): [packed: number, bits: number] {
  const last = 0x80 | (code & 0x3f);
  if (code < 0x800) return [0xc0 | (code >> 6) | (last << 8), 16];
  const middle = 0x80 | ((code >> 6) & 0x3f);
  if (code < 0x10000) return [0xe0 | (code >> 12) | (middle << 8) | (last << 16), 24];
  return [0xf0 | (code >> 18) | ((0x80 | ((code >> 12) & 0x3f)) << 8) | (middle << 16) | (last << 24), 32];
}
