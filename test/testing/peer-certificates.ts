/** Peer certificates for tests below the local stack, made by the same code. */
export { makePeerCa, makePeerCertificate, type PemPair } from "../../dev/peer-certificates.ts";
