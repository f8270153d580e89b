import { FRAME_KINDS, type Frame } from "./frame.ts";
import type { PeerConnection } from "./peer-connection.ts";
import { decodeOffer, decodePiece, encodeProgress, encodeRefusal } from "./snapshot-frames.ts";
import type { SnapshotOrigin, SnapshotStaging } from "./snapshot-staging.ts";
import type { SnapshotMessage } from "./transport.ts";

const KEEP = { droppable: false };

interface ReceiverEvents {
  /** Throws for a message that must not come on this stream. */
  expect: (message: SnapshotMessage) => void;
  deliver: (message: SnapshotMessage, path: string) => void;
}

/** The receiving end of snapshots on one stream. */
export class SnapshotReceiver {
  readonly #staging: SnapshotStaging;
  readonly #events: ReceiverEvents;
  readonly #origin: SnapshotOrigin;
  #state: "idle" | "taking" | "refused" = "idle";

  constructor(
    connection: () => Pick<PeerConnection, "send">,
    staging: SnapshotStaging,
    events: ReceiverEvents,
  ) {
    this.#staging = staging;
    this.#events = events;
    this.#origin = {
      progress: (sha256, offset) =>
        connection().send(FRAME_KINDS.snapshotProgress, encodeProgress(sha256, offset), KEEP),
      refused: (sha256, reason) => {
        this.#state = "refused";
        connection().send(FRAME_KINDS.snapshotRefusal, encodeRefusal(sha256, reason), KEEP);
      },
      deliver: (message, path) => {
        this.#state = "idle";
        events.deliver(message, path);
      },
    };
  }

  /** Takes an offer or a piece. Throws for one that makes no sense; a disk that fails is told to the sender alone. */
  take({ kind, payload }: Frame): void {
    if (kind === FRAME_KINDS.snapshotOffer) {
      const offer = decodeOffer(payload);
      this.#events.expect(offer.message);
      this.#state = "taking";
      this.#staging.offer(this.#origin, offer);
      return;
    }
    const piece = decodePiece(payload);
    // What was on its way when it was refused.
    if (this.#state === "refused") return;
    this.#staging.piece(this.#origin, piece);
  }

  /** The stream has ended. */
  abandon(): void {
    this.#staging.leave(this.#origin);
  }
}
