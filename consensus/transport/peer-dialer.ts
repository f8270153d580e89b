import type { TLSSocket } from "node:tls";
import { connectPeer, discard } from "./connect-peer.ts";
import {
  introduce,
  INTRODUCTION_MS,
  type Introduction,
  type PeerStream,
  RemovedNodeError,
} from "./introduce-peer.ts";
import type { PeerAddress, PeerCredentials, TransportLog } from "./peer-address.ts";

/** Pause before a peer is dialled again; doubles with each failure in a row, and half of it is chance. */
const REDIAL_MIN_MS = 50;
const REDIAL_MAX_MS = 1_000;
/** Pause once a peer has said that this node was removed: nothing will change, and nobody should be kept busy by it. */
export const REDIAL_REMOVED_MS = 60_000;

interface PeerDialerOptions {
  peer: PeerAddress;
  credentials: PeerCredentials;
  introduction: Introduction;
  onStream: (stream: PeerStream) => void;
  /** The peer has said that this node was removed. */
  onRemoved: () => void;
  log: TransportLog;
}

/** Keeps one stream to one peer: dials until it stands, and again when it has ended, until it is closed. */
export class PeerDialer {
  readonly #options: PeerDialerOptions;
  #failures = 0;
  #lastReason = "";
  #timer: NodeJS.Timeout | null = null;
  #abort: () => void = () => undefined;
  #closed = false;

  constructor(options: PeerDialerOptions) {
    this.#options = options;
    void this.#dial();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#abort();
  }

  async #dial(): Promise<void> {
    try {
      const stream = await this.#connect();
      if (this.#closed) {
        stream.socket.destroy();
        return;
      }
      this.#failures = 0;
      this.#lastReason = "";
      this.#options.onStream(stream);
    } catch (error) {
      if (error instanceof RemovedNodeError) this.#refused();
      else this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  async #connect(): Promise<PeerStream> {
    const { peer, credentials, introduction } = this.#options;
    const expected = { clusterId: introduction.clusterId, nodeId: peer.nodeId };
    const onSocket = (opened: TLSSocket): void => {
      this.#abort = () => opened.destroy();
    };
    const socket = await connectPeer({ peer, credentials, expected, timeoutMs: INTRODUCTION_MS, onSocket });
    try {
      const introduced = await introduce(socket, introduction, expected);
      return { nodeId: peer.nodeId, socket, ...introduced, closed: () => this.#again() };
    } catch (error) {
      discard(socket);
      throw error;
    }
  }

  #refused(): void {
    if (this.#closed) return;
    this.#options.onRemoved();
    this.#dialAfter(REDIAL_REMOVED_MS);
  }

  /** One line for each new reason, not for each attempt. */
  #failed(reason: string): void {
    if (this.#closed) return;
    if (reason !== this.#lastReason) {
      const { nodeId, host, port } = this.#options.peer;
      this.#options.log({ level: "warn", msg: "a peer cannot be dialled", peer: nodeId, host, port, reason });
    }
    this.#lastReason = reason;
    this.#failures += 1;
    this.#again();
  }

  #again(): void {
    if (this.#closed) return;
    this.#dialAfter(Math.min(REDIAL_MIN_MS * 2 ** this.#failures, REDIAL_MAX_MS));
  }

  #dialAfter(pauseMs: number): void {
    this.#timer = setTimeout(() => void this.#dial(), pauseMs * (0.5 + Math.random() / 2));
  }
}
