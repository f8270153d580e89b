import { leaderProofText, parseLeaderProof } from "../../contracts/core/leader-proof.ts";

/** Where a node says that the leader is. */
export interface LeaderHint {
  leaderId: string;
  url: string;
  /** Of contracts/core/leader-proof.ts; null when there was none. */
  proof: string | null;
}

/** Whether the cluster itself vouches for the hint: it is signed with the service key and has not expired at `nowMs`. */
export async function verifyLeader(serviceKey: string, hint: LeaderHint, nowMs: number): Promise<boolean> {
  const proof = hint.proof === null ? null : parseLeaderProof(hint.proof);
  if (proof === null || proof.expiresAtS * 1000 <= nowMs) return false;
  const encoder = new TextEncoder();
  const key = await crypto.subtle.importKey(
    "raw",
    encoder.encode(serviceKey),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  const { leaderId, url } = hint;
  const text = leaderProofText({ leaderId, url, expiresAtS: proof.expiresAtS });
  return crypto.subtle.verify("HMAC", key, proof.mac, encoder.encode(text));
}
