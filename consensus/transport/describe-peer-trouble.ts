/**
 * What is wrong with an address at which a node was looked for, in words for who gave the address. The system's and OpenSSL's
 * own are for the log: they say which call failed, not what to look at.
 */

/** Whoever answered said it in words of ours: another's certificate, no answer in time. */
export class PeerTroubleError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "PeerTroubleError";
  }
}

const NO_TLS = "whoever listens there does not speak TLS 1.3";
const OTHER_AUTHORITY = "the certificate there is of another authority than this cluster's";
const NO_WAY = "there is no way to that host";
const NO_NAME = "the name of the host is not known";

/** By the code of the error: Node's for the network, OpenSSL's for certificates. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ENOTFOUND: NO_NAME,
  EAI_AGAIN: NO_NAME,
  EHOSTUNREACH: NO_WAY,
  ENETUNREACH: NO_WAY,
  EADDRNOTAVAIL: NO_WAY,
  ETIMEDOUT: "nobody answers there in time",
  ECONNRESET: "whoever listens there broke the connection off",
  EPIPE: "whoever listens there broke the connection off",
  EPROTO: NO_TLS,
  SELF_SIGNED_CERT_IN_CHAIN: OTHER_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: OTHER_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OTHER_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: OTHER_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OTHER_AUTHORITY,
  CERT_SIGNATURE_FAILURE: OTHER_AUTHORITY,
  CERT_HAS_EXPIRED: "the certificate there has expired",
  CERT_NOT_YET_VALID: "the certificate there is not valid yet",
};

/** A refusal of our own certificate by the other end. */
const ALERT = /^ERR_SSL_.*ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(?:UNKNOWN|EXPIRED|REQUIRED))/;

export function describePeerTrouble(error: unknown): string {
  if (error instanceof PeerTroubleError) return error.message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const words = WORDS[code];
  if (words !== undefined) return words;
  if (ALERT.test(code)) return "whoever listens there does not take this cluster's certificates";
  return code.startsWith("ERR_SSL_") ? NO_TLS : "the connection failed; the log of the leader says more";
}
