import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readPeerIdentity } from "../consensus/transport/peer-identity.ts";
import { preparePeerCertificates } from "./peer-certificates.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-certificates-"));
});
afterEach(() => rmSync(directory, { recursive: true }));
const prepare = () => preparePeerCertificates({ directory, clusterId: "c1", nodeIds: [1, 2, 3] });

test("R8 a CA of the stack and one certificate a node, which names it; private, and kept", async () => {
  const files = await prepare();
  const ca = new X509Certificate(readFileSync(files.get(1)?.ca ?? ""));
  for (const [nodeId, { cert, key }] of files) {
    const own = new X509Certificate(readFileSync(cert));
    expect(own.verify(ca.publicKey) && own.checkIssued(ca)).toBe(true);
    expect(readPeerIdentity(own.subjectAltName)).toEqual({ clusterId: "c1", nodeId });
    expect(statSync(key).mode & 0o777).toBe(0o600);
  }
  const before = readFileSync(files.get(2)?.cert ?? "", "utf8");
  expect(readFileSync((await prepare()).get(2)?.cert ?? "", "utf8")).toBe(before);
});

test("a node's lost certificate is made again; a lost CA makes all anew", async () => {
  const files = await prepare();
  const text = (nodeId: number): string => readFileSync(files.get(nodeId)?.cert ?? "", "utf8");
  const [one, two] = [text(1), text(2)];
  rmSync(files.get(1)?.key ?? "");
  await prepare();
  expect(text(1)).not.toBe(one);
  expect(text(2)).toBe(two);
  rmSync(files.get(1)?.ca ?? "");
  await prepare();
  expect(text(2)).not.toBe(two);
});
