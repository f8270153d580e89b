import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makePeerCa, makePeerCertificate } from "../../test/testing/peer-certificates.ts";
import { readPeerCredentials } from "./read-peer-credentials.ts";

let directory: string;
const file = (name: string): string => join(directory, name);
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "conflux-credentials-"));
  const ca = await makePeerCa("c1");
  writeFileSync(file("ca.pem"), ca.cert);
  for (const nodeId of [1, 2]) {
    const pair = await makePeerCertificate(ca, { clusterId: "c1", nodeId });
    writeFileSync(file(`node-${nodeId}.pem`), pair.cert);
    writeFileSync(file(`node-${nodeId}-key.pem`), pair.key);
  }
  writeFileSync(file("words.txt"), "not a certificate");
});
afterAll(() => rmSync(directory, { recursive: true }));

function read(
  names: { ca?: string; cert?: string; key?: string; clusterId?: string } = {},
  nowMs: number = Date.now(),
): Promise<unknown> {
  const { ca = "ca.pem", cert = "node-1.pem", key = "node-1-key.pem", clusterId = "c1" } = names;
  const files = { caFile: file(ca), certFile: file(cert), keyFile: file(key) };
  return readPeerCredentials(files, { clusterId, nodeId: 1 }, nowMs);
}

describe("R7 the peer credentials of a node", () => {
  it("are taken when the certificate is its own", async () => {
    const credentials = (await read()) as Record<string, Buffer>;
    expect(Object.keys(credentials).toSorted()).toEqual(["ca", "cert", "key"]);
    expect(credentials["cert"]?.toString()).toContain("BEGIN CERTIFICATE");
  });

  it.each([
    {
      names: { cert: "node-2.pem", key: "node-2-key.pem" },
      says: "node-2.pem is of conflux://c1/node/2, not of conflux://c1/node/1: set CONFLUX_PEER_CERT_FILE to this node's own",
    },
    { names: { clusterId: "c2" }, says: "node-1.pem is of conflux://c1/node/1, not of conflux://c2/node/1" },
    {
      names: { cert: "ca.pem" },
      says: "ca.pem names no node: its one URI name must be conflux://c1/node/1",
    },
    {
      names: { key: "node-2-key.pem" },
      says: /the peer key .*node-2-key\.pem is not the key of .*node-1\.pem/,
    },
    { names: { cert: "words.txt" }, says: /the peer certificate .*words\.txt is no certificate in PEM: / },
    { names: { key: "words.txt" }, says: /the peer key .*words\.txt is no private key in PEM: / },
    { names: { ca: "words.txt" }, says: /the peers' authority .*words\.txt is no certificate in PEM: / },
    { names: { ca: "nope" }, says: /the peer credential .*nope cannot be read: ENOENT: no such file/ },
  ])("are refused for $names", async ({ names, says }) => {
    await expect(read(names)).rejects.toThrow(says);
  });

  it("are refused when the certificate has expired", async () => {
    const nextYearMs = Date.now() + 366 * 24 * 3_600_000;
    await expect(read({}, nextYearMs)).rejects.toThrow(
      /node-1\.pem expired at 2\d{3}-\S+Z: have a new one made/,
    );
  });
});
