import type { TLSSocket } from "node:tls";
import type { Message, NodeId } from "../raft/types.ts";
import { type Frame, FrameError, FRAME_KINDS } from "./frame.ts";
import { decodeMessage } from "./message-codec.ts";
import { PeerConnection } from "./peer-connection.ts";
import { sendSnapshotFile, SnapshotReceiver } from "./snapshot-stream.ts";
import type { SnapshotMessage } from "./transport.ts";

interface PeerSessionOptions {
  self: NodeId;
  peer: NodeId;
  /** A new file's name for each snapshot that arrives. */
  snapshotPath: () => string;
  onMessage: (message: Message, path?: string) => void;
  onFounding: (payload: Buffer) => void;
  /** Messages were dropped. */
  onLost: () => void;
  onClose: (reason: string) => void;
}

/** What two members say to each other while one stream stands. A message in another's name ends it. */
export class PeerSession {
  readonly connection: PeerConnection;
  readonly #options: PeerSessionOptions;
  readonly #snapshots: SnapshotReceiver;
  #sending = false;

  constructor(socket: TLSSocket, options: PeerSessionOptions) {
    this.#options = options;
    this.#snapshots = new SnapshotReceiver(options.snapshotPath, {
      expect: (message) => this.#expectOwn(message),
      deliver: (message, path) => options.onMessage(message, path),
    });
    this.connection = new PeerConnection(socket, {
      onFrame: (frame) => this.take(frame),
      onDropped: () => options.onLost(),
      onClose: (reason) => {
        this.#snapshots.abandon();
        options.onClose(reason);
      },
    });
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

  /** One at a time: rejects while another is under way. */
  async sendSnapshot(message: SnapshotMessage, path: string): Promise<void> {
    if (this.#sending) throw new Error(`another snapshot is on its way to node ${message.to}`);
    this.#sending = true;
    try {
      await sendSnapshotFile(this.connection, message, path);
    } finally {
      this.#sending = false;
    }
  }

  #dispatch(frame: Frame): void {
    switch (frame.kind) {
      case FRAME_KINDS.ping:
        return;
      case FRAME_KINDS.message: {
        const message = decodeMessage(frame.payload);
        this.#expectOwn(message);
        if (message.type === "snapshot") throw new FrameError("a snapshot's message came without its bytes");
        this.#options.onMessage(message);
        return;
      }
      case FRAME_KINDS.snapshotBegin:
      case FRAME_KINDS.snapshotChunk:
      case FRAME_KINDS.snapshotEnd:
        this.#snapshots.take(frame);
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
