import {
  type CursorKey,
  type CursorStore,
  type FeedPosition,
  CURSOR_TTL_S,
  checkForward,
} from "../../contracts/projection/cursor-store.ts";

/** Cursors for as long as the process lives. */
export class MemoryCursorStore implements CursorStore {
  private readonly cursors = new Map<string, FeedPosition & { expiresAtMs: number }>();
  private readonly nowMs: () => number;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  read(key: CursorKey): Promise<FeedPosition | null> {
    return Promise.resolve(this.stored(key));
  }

  async advance(key: CursorKey, move: { from: FeedPosition | null; to: FeedPosition }): Promise<boolean> {
    checkForward(move);
    const stored = this.stored(key);
    if (stored?.epoch !== move.from?.epoch || stored?.index !== move.from?.index) return false;
    const expiresAtMs = this.nowMs() + CURSOR_TTL_S * 1000;
    this.cursors.set(nameOf(key), { ...move.to, expiresAtMs });
    return true;
  }

  private stored(key: CursorKey): FeedPosition | null {
    const stored = this.cursors.get(nameOf(key));
    return stored && stored.expiresAtMs > this.nowMs() ? { epoch: stored.epoch, index: stored.index } : null;
  }
}

const nameOf = ({ projection, clusterId }: CursorKey): string => `${projection}/${clusterId}`;
