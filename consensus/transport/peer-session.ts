import type { TLSSocket } from "node:tls";
import type { Message, NodeId } from "../raft/types.ts";
import { type Frame, FrameError, FRAME_KINDS } from "./frame.ts";
import { decodeMessage, encodeMessage, isPromise, withoutPromise } from "./message-codec.ts";
import { PeerConnection } from "./peer-connection.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import type { SnapshotStaging } from "./snapshot-staging.ts";
import type { SnapshotOffer } from "./snapshot-frames.ts";

interface PeerSessionOptions {
  self: NodeId;
  peer: NodeId;
  /** Kinds of frame that the peer takes, as it said when it was introduced. */
  peerTakes: readonly number[];
  staging: SnapshotStaging;
  onMessage: (message: Message, path?: string) => void;
  onFounding: (payload: Buffer) => void;
  onInfo: (payload: Buffer) => void;
  /** Messages were dropped. */
  onLost: () => void;
  onClose: (reason: string) => void;
}

/** What two members say to each other while one stream stands. A message in another's name ends it. */
export class PeerSession {
  readonly connection: PeerConnection;
  readonly #options: PeerSessionOptions;
  readonly #arriving: SnapshotReceiver;
  readonly #leaving: SnapshotSender;

  constructor(socket: TLSSocket, options: PeerSessionOptions) {
    this.#options = options;
    this.#arriving = new SnapshotReceiver(() => this.connection, options.staging, {
      expect: (message) => this.#expectOwn(message),
      deliver: (message, path) => options.onMessage(message, path),
    });
    this.connection = new PeerConnection(socket, {
      onFrame: (frame) => this.take(frame),
      onDropped: () => options.onLost(),
      onClose: (reason) => {
        this.#arriving.abandon();
        this.#leaving.abandon(reason);
        options.onClose(reason);
      },
    });
    this.#leaving = new SnapshotSender(this.connection);
    socket.resume();
  }

  /** Takes a frame; one that makes no sense ends the connection. */
  take(frame: Frame): void {
    try {
      this.#dispatch(frame);
    } catch (error) {
      this.connection.close(error instanceof Error ? error.message : String(error));
    }
  }

  /** To a build that knows of no promises what is promised is not said: nobody there counts on it. */
  sendMessage(message: Message): void {
    if (isPromise(message) && this.#peerTakes(FRAME_KINDS.promise)) {
      this.connection.send(FRAME_KINDS.promise, encodeMessage(message), { droppable: true });
    } else {
      this.connection.send(FRAME_KINDS.message, encodeMessage(withoutPromise(message)), { droppable: true });
    }
  }

  /** One at a time: rejects while another is under way, and when the peer's build knows no such transfers. */
  async sendSnapshot(offer: SnapshotOffer, path: string, signal: AbortSignal): Promise<void> {
    if (!this.#peerTakes(FRAME_KINDS.snapshotOffer))
      throw new Error(`node ${offer.message.to} runs a build that takes no snapshots of this one's`);
    await this.#leaving.send(offer, path, signal);
  }

  /** What a member tells of itself; nothing to one whose build does not know the frame. */
  sendInfo(payload: Uint8Array): void {
    if (this.#peerTakes(FRAME_KINDS.info))
      this.connection.send(FRAME_KINDS.info, payload, { droppable: true });
  }

  #peerTakes(kind: number): boolean {
    return this.#options.peerTakes.includes(kind);
  }

  #dispatch(frame: Frame): void {
    switch (frame.kind) {
      case FRAME_KINDS.ping:
        return;
      case FRAME_KINDS.message:
      case FRAME_KINDS.promise: {
        const message = decodeMessage(frame.payload);
        this.#expectOwn(message);
        if (message.type === "snapshot") throw new FrameError("a snapshot's message came without its bytes");
        this.#options.onMessage(message);
        return;
      }
      case FRAME_KINDS.snapshotOffer:
      case FRAME_KINDS.snapshotPiece:
        this.#arriving.take(frame);
        return;
      case FRAME_KINDS.snapshotProgress:
      case FRAME_KINDS.snapshotRefusal:
        this.#leaving.take(frame);
        return;
      case FRAME_KINDS.info:
        this.#options.onInfo(frame.payload);
        return;
      case FRAME_KINDS.founding:
        this.#options.onFounding(frame.payload);
        return;
      default:
        throw new FrameError(`a frame of kind ${frame.kind} does not belong here`);
    }
  }

  #expectOwn({ from, to }: Message): void {
    const { self, peer } = this.#options;
    if (from !== peer || to !== self)
      throw new FrameError(`node ${peer} sent a message from ${from} to ${to}`);
  }
}
