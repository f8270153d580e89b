import { connect, type TLSSocket } from "node:tls";
import { PeerTroubleError } from "./describe-peer-trouble.ts";
import { identityTrouble, type PeerIdentity } from "./peer-identity.ts";
import type { PeerAddress, PeerCredentials } from "./peer-address.ts";

/** What a connection says by ALPN that only looks who is there: the other end takes it for no peer. */
export const PROBE_PROTOCOL = "conflux-probe";

/**
 * Connects to an address over mutual TLS 1.3 and resolves once whoever is there has proved by its certificate that it is
 * `expected`. Rejects with what was found instead: the system's refusal, or by a `PeerTroubleError` another's certificate or no
 * answer within `timeoutMs`.
 */
export async function connectPeer(options: {
  peer: PeerAddress;
  credentials: PeerCredentials;
  expected: PeerIdentity;
  timeoutMs: number;
  /** The connection only looks who is there. */
  isProbe?: boolean;
  /** Told of the socket at once, so that the caller can end the attempt. */
  onSocket?: (socket: TLSSocket) => void;
}): Promise<TLSSocket> {
  const { peer, credentials, expected, timeoutMs, isProbe = false } = options;
  const socket = connect({
    ...credentials,
    host: peer.host,
    port: peer.port,
    minVersion: "TLSv1.3",
    ...(isProbe ? { ALPNProtocols: [PROBE_PROTOCOL] } : {}),
    // The name that counts is the node's, not the host's.
    checkServerIdentity: (_host, certificate) => {
      const trouble = identityTrouble(certificate.subjectaltname, expected);
      return trouble === null ? undefined : new PeerTroubleError(trouble);
    },
  });
  options.onSocket?.(socket);
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new PeerTroubleError("the peer does not answer")), timeoutMs);
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        act();
      };
      socket.once("secureConnect", () => settle(resolve));
      socket.once("error", (error) => settle(() => reject(error)));
      socket.once("close", () => settle(() => reject(new PeerTroubleError("the peer hung up"))));
    });
    return socket;
  } catch (error) {
    discard(socket);
    throw error;
  }
}

/** Ends a connection that has seen enough, so that the other end is told of no reset; within `timeoutMs` at the latest. */
export function takeLeave(socket: TLSSocket, timeoutMs: number): void {
  socket.on("error", () => undefined);
  socket.setTimeout(timeoutMs, () => socket.destroy());
  socket.resume();
  socket.end();
}

/** Ends a connection that came to nothing: an error that follows the first one has nobody else to hear it. */
export function discard(socket: TLSSocket): void {
  socket.on("error", () => undefined);
  socket.destroy();
}
