/**
 * The certificates with which core nodes know each other, made at first start: a CA of this stack alone, and one
 * certificate a node that names it (`conflux://{cluster}/node/{id}`). Kept in files that only their owner can read.
 */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { writeFileAtomically } from "./write-file-atomically.ts";

const KEY = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const DAY_MS = 24 * 3_600_000;
/** Clocks may differ by this much. */
const BACKDATE_MS = DAY_MS;
const CA_DAYS = 3_650;
const NODE_DAYS = 365;
/** A certificate that is to end sooner is made anew at the next start. */
const RENEW_BEFORE_DAYS = 30;

/** PEM files of one node. */
export interface PeerFiles {
  ca: string;
  cert: string;
  key: string;
}
export interface PemPair {
  cert: string;
  key: string;
}

/** Makes what is missing or about to expire in `directory`, and answers each node's files. */
export async function preparePeerCertificates(input: {
  directory: string;
  clusterId: string;
  nodeIds: readonly number[];
}): Promise<Map<number, PeerFiles>> {
  const { directory, clusterId, nodeIds } = input;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = (name: string): string => join(directory, name);
  const caFiles = { cert: file("ca.pem"), key: file("ca-key.pem") };
  let isNewCa = false;
  if (!isUsable(caFiles)) {
    keep(caFiles, await makePeerCa(clusterId));
    isNewCa = true;
  }
  const ca = { cert: readFileSync(caFiles.cert, "utf8"), key: readFileSync(caFiles.key, "utf8") };
  const files = new Map<number, PeerFiles>();
  for (const nodeId of nodeIds) {
    const own = { cert: file(`node-${nodeId}.pem`), key: file(`node-${nodeId}-key.pem`) };
    if (isNewCa || !isUsable(own)) keep(own, await makePeerCertificate(ca, { clusterId, nodeId }));
    files.set(nodeId, { ca: caFiles.cert, ...own });
  }
  return files;
}

function isUsable({ cert, key }: PemPair): boolean {
  if (!existsSync(cert) || !existsSync(key)) return false;
  const until = new X509Certificate(readFileSync(cert, "utf8")).notAfter.getTime();
  return until - Date.now() > RENEW_BEFORE_DAYS * DAY_MS;
}

/** The key first: a certificate without its key would be taken for complete. */
function keep(paths: PemPair, pems: PemPair): void {
  writeFileAtomically(paths.key, pems.key);
  writeFileAtomically(paths.cert, pems.cert);
}

export async function makePeerCa(clusterId: string): Promise<PemPair> {
  const keys = await webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=Conflux ${clusterId} peers`,
    keys,
    signingAlgorithm: SIGNATURE,
    ...validFor(CA_DAYS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { cert: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

export async function makePeerCertificate(
  ca: PemPair,
  node: { clusterId: string; nodeId: number },
): Promise<PemPair> {
  const issuer = new X509Certificate(ca.cert);
  const signingKey = await webcrypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(ca.key), KEY, false, [
    "sign",
  ]);
  const keys = await webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=node-${node.nodeId}`,
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: SIGNATURE,
    ...validFor(NODE_DAYS),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([
        { type: "url", value: `conflux://${node.clusterId}/node/${node.nodeId}` },
      ]),
    ],
  });
  return { cert: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

function validFor(days: number): { notBefore: Date; notAfter: Date } {
  const nowMs = Date.now();
  return { notBefore: new Date(nowMs - BACKDATE_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}
