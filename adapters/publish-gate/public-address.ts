import { parseIp, parseIpRange, rangeHas, type IpRange } from "../../domain/release-rule/ip-range.ts";

const ranges = (...texts: string[]): IpRange[] =>
  texts.map((text) => {
    const range = parseIpRange(text);
    if (range === null) throw new Error(`${text} is no range`);
    return range;
  });

/** IPv4 that is not for everyone (IANA's registry of special-purpose addresses), multicast and what is reserved. */
const SPECIAL_IPV4 = ranges(
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
);
/** All of IPv6 that is for everyone, ... */
const GLOBAL_IPV6 = ranges("2000::/3");
/** ... without what leads to IPv4 addresses (Teredo, 6to4), is for documentation, or is special otherwise. */
const SPECIAL_IPV6 = ranges("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20");

/** Whether an address is one of the public internet; false for what is no address. IPv6 that carries IPv4 is judged as that. */
export function isPublicAddress(text: string): boolean {
  const address = parseIp(text);
  if (address === null) return false;
  const within = (list: readonly IpRange[]): boolean => list.some((range) => rangeHas(range, address));
  if (address.length === 1) return !within(SPECIAL_IPV4);
  return within(GLOBAL_IPV6) && !within(SPECIAL_IPV6);
}
