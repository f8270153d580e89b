import { ATTACHMENT_BYTES_MAX } from "./limits.ts";
import type { SessionState, WatchChannel } from "./watch-session.ts";

/** A hibernating WebSocket. Its session's state travels as the socket's attachment. */
export class SocketChannel implements WatchChannel {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  send(text: string): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    try {
      this.#socket.send(text);
      return true;
    } catch {
      // Broken between two events: one dead socket must not keep a batch from the others.
      return false;
    }
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  save(state: SessionState): boolean {
    const text = JSON.stringify(state);
    if (!fitsAttachment(state)) return false;
    this.#socket.serializeAttachment(text);
    return true;
  }
}

/** Whether a session of this state can be kept with its socket. Names and scopes are ASCII: a byte a character. */
export function fitsAttachment(state: SessionState): boolean {
  return JSON.stringify(state).length <= ATTACHMENT_BYTES_MAX;
}

/** What `save` kept with the socket; null when it kept nothing. */
export function savedState(socket: WebSocket): SessionState | null {
  const text = socket.deserializeAttachment() as string | null;
  return text === null ? null : (JSON.parse(text) as SessionState);
}
