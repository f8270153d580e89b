/**
 * The conversation of peer-info.ts. Each side echoes when the other sent its newest word, so that both measure the round
 * trip on their own elapsed clock and know how the other's wall clock stands, give or take half of it (Cristian 1989).
 */
import type { NodeId } from "../raft/types.ts";
import type { InfoChannel } from "../transport/info-channel.ts";
import { decodePeerInfo, encodePeerInfo, type PeerInfo } from "./peer-info.ts";
import type { PeerAbilities, PeerKnowledge } from "./peer-knowledge.ts";

export const INFO_EVERY_MS = 1_000;

export interface PeerExchangeOptions {
  channel: InfoChannel;
  own: PeerAbilities;
  knowledge: PeerKnowledge;
  wallMs: () => number;
  /** Of a clock that nobody sets. */
  elapsedMs: () => number;
}

export class PeerExchange {
  readonly #options: PeerExchangeOptions;
  /** Each member's newest word: its `sent_ms`, and when it came. */
  readonly #heard = new Map<NodeId, { sentMs: number; atMs: number }>();
  #timer: NodeJS.Timeout | null = null;
  #isFenced = false;

  constructor(options: PeerExchangeOptions) {
    this.#options = options;
  }

  start(): void {
    const { channel } = this.#options;
    channel.onInfo({
      onInfo: (from, payload) => this.#take(from, decodePeerInfo(payload)),
      onConnected: (nodeId) => this.#send(nodeId),
    });
    this.#tellAll();
    this.#timer = setInterval(() => this.#tellAll(), INFO_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#options.channel.onInfo(null);
  }

  /** From now on this node tells that it is fenced. */
  sayFenced(): void {
    this.#isFenced = true;
    this.#tellAll();
  }

  #tellAll(): void {
    for (const nodeId of this.#options.channel.connected()) this.#send(nodeId);
  }

  #send(to: NodeId): void {
    const { channel, own, wallMs, elapsedMs } = this.#options;
    const nowMs = elapsedMs();
    const heard = this.#heard.get(to);
    const info = {
      build: own.build,
      wall_ms: Math.max(0, wallMs()),
      sent_ms: nowMs,
      echo: heard === undefined ? null : { sent_ms: heard.sentMs, held_ms: Math.max(0, nowMs - heard.atMs) },
      command_kinds: [...own.commandKinds],
      snapshot_formats: [...own.snapshotFormats],
      ...(this.#isFenced ? { fenced: true } : {}),
    };
    channel.sendInfo(to, encodePeerInfo(info));
  }

  #take(from: NodeId, info: PeerInfo): void {
    const { knowledge, wallMs, elapsedMs } = this.#options;
    const nowMs = elapsedMs();
    knowledge.noteInfo(from, info);
    this.#heard.set(from, { sentMs: info.sent_ms, atMs: nowMs });
    if (info.echo === null) {
      // So that it need not wait a second to know how our clock stands.
      this.#send(from);
      return;
    }
    const roundTripMs = nowMs - info.echo.sent_ms - info.echo.held_ms;
    // An echo of an earlier process of ours, whose elapsed time was another, says nothing.
    if (roundTripMs < 0) return;
    const uncertaintyMs = roundTripMs / 2;
    knowledge.noteClock(from, { offsetMs: info.wall_ms + uncertaintyMs - wallMs(), uncertaintyMs });
  }
}
