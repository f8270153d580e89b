import { expect, it } from "vitest";
import { describePeerTrouble, PeerTroubleError } from "./describe-peer-trouble.ts";

const failed = (code: string): Error => Object.assign(new Error("0A000126:SSL routines::raw"), { code });

it.each([
  ["ECONNREFUSED", "nobody listens there"],
  ["ENOTFOUND", "the name of the host is not known"],
  ["EHOSTUNREACH", "there is no way to that host"],
  ["ETIMEDOUT", "nobody answers there in time"],
  ["EPROTO", "whoever listens there does not speak TLS 1.3"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "whoever listens there does not speak TLS 1.3"],
  ["ERR_SSL_PACKET_LENGTH_TOO_LONG", "whoever listens there does not speak TLS 1.3"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "the certificate there is of another authority than this cluster's"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "the certificate there is of another authority than this cluster's"],
  ["CERT_HAS_EXPIRED", "the certificate there has expired"],
  ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "whoever listens there does not take this cluster's certificates"],
  ["SOMETHING_NEW", "the connection failed; the log of the leader says more"],
])("R5 %s is told as: %s", (code, words) => {
  expect(describePeerTrouble(failed(code))).toBe(words);
});

it("R5 several addresses of one name that all refuse are one refusal, and our own words stay", () => {
  const all = Object.assign(new AggregateError([failed("ECONNREFUSED")], ""), { code: "ECONNREFUSED" });
  expect(describePeerTrouble(all)).toBe("nobody listens there");
  expect(describePeerTrouble(new PeerTroubleError("the certificate is of node 3"))).toBe(
    "the certificate is of node 3",
  );
});
