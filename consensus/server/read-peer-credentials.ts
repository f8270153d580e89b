import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { PeerCredentials } from "../transport/peer-address.ts";
import { peerUri, type PeerIdentity, readPeerIdentity } from "../transport/peer-identity.ts";
import { EnvironmentError } from "./environment-error.ts";
import type { PeerEnvironment } from "./read-peers.ts";

/**
 * Reads what a node shows its peers, and makes sure that it speaks for this node and still holds: the peers would refuse it
 * for good, and it would wait for them without a word of why. Throws `EnvironmentError`.
 */
export async function readPeerCredentials(
  { caFile, certFile, keyFile }: Pick<PeerEnvironment, "caFile" | "certFile" | "keyFile">,
  own: PeerIdentity,
  nowMs: number = Date.now(),
): Promise<PeerCredentials> {
  const [ca, cert, key] = await Promise.all([
    readCredential(caFile),
    readCredential(certFile),
    readCredential(keyFile),
  ]);
  parse(`the peers' authority ${caFile} is no certificate`, () => new X509Certificate(ca));
  const certificate = parse(
    `the peer certificate ${certFile} is no certificate`,
    () => new X509Certificate(cert),
  );
  const privateKey = parse(`the peer key ${keyFile} is no private key`, () => createPrivateKey(key));
  refuse(certificate, { certFile, own, nowMs });
  refuseKey(certificate, privateKey, { certFile, keyFile });
  return { ca, cert, key };
}

function refuse(
  certificate: X509Certificate,
  { certFile, own, nowMs }: { certFile: string; own: PeerIdentity; nowMs: number },
): void {
  const wanted = peerUri(own);
  const found = readPeerIdentity(certificate.subjectAltName);
  if (found === null) {
    throw new EnvironmentError(
      `the peer certificate ${certFile} names no node: its one URI name must be ${wanted}`,
    );
  }
  if (peerUri(found) !== wanted) {
    throw new EnvironmentError(
      `the peer certificate ${certFile} is of ${peerUri(found)}, not of ${wanted}: set CONFLUX_PEER_CERT_FILE to this node's own`,
    );
  }
  if (certificate.validToDate.getTime() < nowMs) {
    const end = certificate.validToDate.toISOString();
    throw new EnvironmentError(`the peer certificate ${certFile} expired at ${end}: have a new one made`);
  }
}

function refuseKey(
  certificate: X509Certificate,
  key: KeyObject,
  { certFile, keyFile }: { certFile: string; keyFile: string },
): void {
  if (certificate.checkPrivateKey(key)) return;
  throw new EnvironmentError(`the peer key ${keyFile} is not the key of the certificate ${certFile}`);
}

async function readCredential(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new EnvironmentError(`the peer credential ${path} cannot be read: ${wordsOf(cause)}`);
  }
}

function parse<T>(trouble: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new EnvironmentError(`${trouble} in PEM: ${wordsOf(cause)}`);
  }
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
