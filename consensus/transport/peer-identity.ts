/** Who a certificate speaks for: its one URI name `conflux://{cluster}/node/{id}`. The CA alone decides who gets one. */
export interface PeerIdentity {
  clusterId: string;
  nodeId: number;
}

export function peerUri({ clusterId, nodeId }: PeerIdentity): string {
  return `conflux://${clusterId}/node/${nodeId}`;
}

/** Reads `subjectaltname` of a verified certificate; null when it names no node, or more than one. */
export function readPeerIdentity(subjectAltName: string | undefined): PeerIdentity | null {
  const uris = (subjectAltName ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name.startsWith("URI:"));
  const match =
    uris.length === 1
      ? /^URI:conflux:\/\/([a-z][a-z0-9]{0,31})\/node\/([1-9]\d{0,8})$/.exec(uris[0] ?? "")
      : null;
  return match === null ? null : { clusterId: match[1] ?? "", nodeId: Number(match[2]) };
}

/** Why a certificate does not speak for `expected`; null when it does. */
export function identityTrouble(subjectAltName: string | undefined, expected: PeerIdentity): string | null {
  const found = readPeerIdentity(subjectAltName);
  if (found === null) return "the certificate names no node";
  if (found.clusterId === expected.clusterId && found.nodeId === expected.nodeId) return null;
  return `the certificate is of ${peerUri(found)}, not of ${peerUri(expected)}`;
}
