/**
 * SHA-256 (FIPS 180-4) over the UTF-8 of a text, as lower-case hex: for what the state machine itself must name by a hash,
 * where there is no platform to ask. A lone surrogate counts as U+FFFD.
 */
export function sha256Hex(text: string): string {
  const bytes = padded(text);
  const view = new DataView(bytes.buffer);
  const hash = Uint32Array.from(INITIAL);
  const schedule = new Uint32Array(64);
  for (let at = 0; at < bytes.byteLength; at += 64) {
    for (let i = 0; i < 16; i += 1) schedule[i] = view.getUint32(at + 4 * i);
    compress(hash, schedule);
  }
  return [...hash].map((word) => word.toString(16).padStart(8, "0")).join("");
}

const PRIMES = firstPrimes(64);
/** The first 32 bits of the fraction of a root. */
const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32);
const INITIAL = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const ROUNDS = Uint32Array.from(PRIMES.map((prime) => fraction(Math.cbrt(prime))));

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
}

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** One block; the first 16 words of `schedule` are its own. */
function compress(hash: Uint32Array, schedule: Uint32Array): void {
  const w = (i: number): number => schedule[i] ?? 0;
  for (let i = 16; i < 64; i += 1) {
    const low = rotate(w(i - 15), 7) ^ rotate(w(i - 15), 18) ^ (w(i - 15) >>> 3);
    const high = rotate(w(i - 2), 17) ^ rotate(w(i - 2), 19) ^ (w(i - 2) >>> 10);
    schedule[i] = (w(i - 16) + low + w(i - 7) + high) | 0;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = hash;
  for (let i = 0; i < 64; i += 1) {
    const high = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const first = (h + high + ((e & f) ^ (~e & g)) + (ROUNDS[i] ?? 0) + w(i)) | 0;
    const low = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const second = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) hash[i] = ((hash[i] ?? 0) + word) | 0;
}

/** The text's bytes, a bit that is set, zeros, and the length in bits: whole blocks of 64 bytes. */
function padded(text: string): Uint8Array<ArrayBuffer> {
  // At most three bytes a code unit.
  const bytes = new Uint8Array(3 * text.length + 72);
  const length = encode(text, bytes);
  bytes[length] = 0x80;
  const total = Math.ceil((length + 9) / 64) * 64;
  const view = new DataView(bytes.buffer);
  view.setUint32(total - 8, Math.floor(length / 2 ** 29));
  view.setUint32(total - 4, (length * 8) >>> 0);
  return bytes.slice(0, total);
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
