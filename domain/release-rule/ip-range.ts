/** An address as words of 32 bits: one for IPv4, four for IPv6. IPv6 that only carries an IPv4 address is IPv4. */
export type IpAddress = readonly number[];

export interface IpRange {
  /** The words of the first address. */
  words: IpAddress;
  /** For each word, the bits that an address of the range shares with the first. */
  masks: readonly number[];
}

const MAPPED_WORD = 0xffff;
const MAPPED_PREFIX_BITS = 96;

/** Reads `10.1.2.3`, `2001:db8::1` or `::ffff:10.1.2.3`; null for everything else, zones and leading zeros too. */
export function parseIp(text: string): IpAddress | null {
  const words = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  return words !== null && isMapped(words) ? words.slice(3) : words;
}

/** Reads `10.0.0.0/8`, `2001:db8::/32`, or one address. Bits past the prefix are ignored. Null for everything else. */
export function parseIpRange(text: string): IpRange | null {
  const slash = text.indexOf("/");
  const address = slash === -1 ? text : text.slice(0, slash);
  const words = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
  if (words === null) return null;
  const bits = slash === -1 ? words.length * 32 : parsePrefix(text.slice(slash + 1), words.length * 32);
  if (bits === null) return null;
  if (isMapped(words) && bits >= MAPPED_PREFIX_BITS)
    return toRange(words.slice(3), bits - MAPPED_PREFIX_BITS);
  return toRange(words, bits);
}

export function rangeHas({ words, masks }: IpRange, address: IpAddress): boolean {
  if (words.length !== address.length) return false;
  for (let i = 0; i < words.length; i += 1) {
    if ((((words[i] ?? 0) ^ (address[i] ?? 0)) & (masks[i] ?? 0)) !== 0) return false;
  }
  return true;
}

/** Whether two ranges share an address: then one lies within the other. */
export function rangesMeet(a: IpRange, b: IpRange): boolean {
  return rangeHas(a, b.words) || rangeHas(b, a.words);
}

function toRange(address: IpAddress, prefixBits: number): IpRange {
  const masks = address.map((_, i) => {
    const bits = Math.min(Math.max(prefixBits - i * 32, 0), 32);
    return bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
  });
  return { words: address.map((word, i) => (word & (masks[i] ?? 0)) >>> 0), masks };
}

function parsePrefix(text: string, bitsMax: number): number | null {
  if (!/^(?:0|[1-9]\d{0,2})$/.test(text)) return null;
  return Number(text) <= bitsMax ? Number(text) : null;
}

function isMapped(words: readonly number[]): boolean {
  return words.length === 4 && words[0] === 0 && words[1] === 0 && words[2] === MAPPED_WORD;
}

function parseIpv4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let word = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    word = word * 256 + Number(part);
  }
  return [word];
}

function parseIpv6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = [
    parseGroups(halves[0] ?? "", halves.length === 1),
    parseGroups(halves[1] ?? "", true),
  ];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return [0, 2, 4, 6].map((i) => (groups[i] ?? 0) * 0x10000 + (groups[i + 1] ?? 0));
}

/** Groups of 16 bits; the last part may be an IPv4 address when the text ends with it. */
function parseGroups(text: string, isEnd: boolean): number[] | null {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (isEnd && i === parts.length - 1 && part.includes(".")) {
      const word = parseIpv4(part)?.[0];
      if (word === undefined) return null;
      groups.push(word >>> 16, word & 0xffff);
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}
