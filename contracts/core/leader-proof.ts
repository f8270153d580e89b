/**
 * How the core vouches for the address of its leader (CORE_LEADER_PROOF_HEADER): `<expiry>.<hex>`, the hex being the
 * HMAC-SHA256 of the text below under the cluster's service key. A caller sends its service token only to a URL that
 * it was set up with, or that carries such a proof: so an answer that came from elsewhere, or was altered on its way,
 * cannot lead it away. The line breaks keep these texts apart from the tokens that the same key signs.
 */
export const LEADER_PROOF_TTL_S = 60;

export interface LeaderClaim {
  leaderId: string;
  /** Base URL, as in the header beside it. */
  url: string;
  /** Seconds since 1970. */
  expiresAtS: number;
}

/** What is signed. */
export function leaderProofText({ leaderId, url, expiresAtS }: LeaderClaim): string {
  return `conflux-leader-v1\n${expiresAtS}\n${leaderId}\n${url}`;
}

export function formatLeaderProof(expiresAtS: number, mac: string): string {
  return `${expiresAtS}.${mac}`;
}

/** Null for what is no proof. */
export function parseLeaderProof(text: string): { expiresAtS: number; mac: Uint8Array<ArrayBuffer> } | null {
  const [, expiresAtS, mac] = /^(\d{1,12})\.([0-9a-f]{64})$/.exec(text) ?? [];
  if (expiresAtS === undefined || mac === undefined) return null;
  const bytes = Uint8Array.from(mac.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  return { expiresAtS: Number(expiresAtS), mac: bytes };
}
