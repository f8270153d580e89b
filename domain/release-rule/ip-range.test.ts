import * as fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { parseIp, parseIpRange, rangeHas, rangesMeet } from "./ip-range.ts";

const ipv4 = fc
  .array(fc.constantFrom(0, 1, 10, 127, 128, 192, 255), { minLength: 4, maxLength: 4 })
  .map((b) => b.join("."));
const group = fc.constantFrom("0", "1", "db8", "2001", "ffff", "FE80");
const ipv6 = fc.oneof(
  fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(":")),
  fc
    .tuple(fc.array(group, { maxLength: 3 }), fc.array(group, { maxLength: 3 }))
    .map(([a, b]) => `${a.join(":")}::${b.join(":")}`),
  ipv4.map((v4) => `::ffff:${v4}`),
);
const address = fc.oneof(ipv4, ipv6);
const range = fc.oneof(
  fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })),
  fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })),
);

/** Addresses that carry an IPv4 address are IPv4 in both. */
function expected(text: string, [base, bits]: [string, number]): boolean {
  const at = ipaddr.process(text);
  const from = ipaddr.parse(base);
  if (from instanceof ipaddr.IPv6 && from.isIPv4MappedAddress() && bits >= 96) {
    return at instanceof ipaddr.IPv4 && at.match(from.toIPv4Address(), bits - 96);
  }
  if (at instanceof ipaddr.IPv4) return from instanceof ipaddr.IPv4 && at.match(from, bits);
  return from instanceof ipaddr.IPv6 && at.match(from, bits);
}

describe("C5 ranges of addresses", () => {
  it("hold what ipaddr.js says they hold", () => {
    fc.assert(
      fc.property(address, range, (text, [base, bits]) => {
        const parsed = parseIpRange(`${base}/${bits}`);
        const at = parseIp(text);
        if (parsed === null || at === null) throw new Error("not parsed");
        expect(rangeHas(parsed, at)).toBe(expected(text, [base, bits]));
      }),
      { numRuns: 2000 },
    );
  });

  it("meet when an address lies in both, that is when one holds the first of the other", () => {
    fc.assert(
      fc.property(range, range, (a, b) => {
        const [one, other] = [parseIpRange(a.join("/")), parseIpRange(b.join("/"))];
        if (one === null || other === null) throw new Error("not parsed");
        expect(rangesMeet(one, other)).toBe(rangesMeet(other, one));
        if (rangeHas(one, other.words)) expect(rangesMeet(one, other)).toBe(true);
      }),
    );
    const meet = (a: string, b: string) => rangesMeet(parseIpRange(a)!, parseIpRange(b)!);
    expect(meet("10.0.0.0/8", "10.1.0.0/16")).toBe(true);
    expect(meet("10.0.0.0/16", "10.1.0.0/16")).toBe(false);
    expect(meet("::/0", "10.0.0.0/8")).toBe(false);
  });

  const notIpv4 = ["", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/08"];
  const notIpv6 = [
    "a",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "fe80::1%eth0",
  ];
  const neither = ["1.2.3.4/8/8", "::1/129", "1.2.3.4::", "::1.2.3", "1:2:3:4:5:6:7::8", " ::1", "0x7f.1"];
  it.each([...notIpv4, ...notIpv6, ...neither])("%j is none", (text) => {
    expect(parseIpRange(text)).toBeNull();
    expect(parseIp(text)).toBeNull();
  });

  it("an address is a range of one", () => {
    expect(rangeHas(parseIpRange("2001:db8::1")!, parseIp("2001:DB8:0:0::1")!)).toBe(true);
    expect(rangeHas(parseIpRange("::ffff:10.0.0.1")!, parseIp("10.0.0.1")!)).toBe(true);
  });
});
