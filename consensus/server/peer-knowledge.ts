/**
 * What this node knows of the other members: what they understand, which it keeps over restarts of theirs and of its own
 * (a leader that restarts while another member is down still knows what that one can apply), and their clocks, which it
 * does not, nor who of them is fenced. The newest word of a member counts: one that comes back with an older build is known
 * by that from then on.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import type { NodeId } from "../raft/types.ts";
import { type MedianClock, medianClock, type PeerClock } from "../state/judge-leader-clock.ts";
import type { PeerInfo } from "./peer-info.ts";

/** What a member understands. */
export interface PeerAbilities {
  build: string;
  commandKinds: readonly string[];
  snapshotFormats: readonly number[];
}
interface MeasuredClock {
  offsetMs: number;
  uncertaintyMs: number;
  /** On the elapsed clock of `nowMs`. */
  readAtMs: number;
}

const fileSchema = z.object({
  version: z.literal(1),
  members: z.record(
    z.string(),
    z.object({
      build: z.string(),
      command_kinds: z.array(z.string()),
      snapshot_formats: z.array(z.number()),
    }),
  ),
});

export class PeerKnowledge {
  readonly #path: string | null;
  readonly #nowMs: () => number;
  readonly #abilities = new Map<NodeId, PeerAbilities>();
  readonly #clocks = new Map<NodeId, MeasuredClock>();
  readonly #fenced = new Set<NodeId>();

  /** `path`: the file it is kept in, null for none. One that cannot be read counts as empty: members soon say it again. */
  constructor(options: { path?: string; nowMs?: () => number } = {}) {
    this.#path = options.path ?? null;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    if (this.#path === null) return;
    for (const [id, known] of readFile(this.#path)) this.#abilities.set(id, known);
  }

  abilitiesOf(nodeId: NodeId): PeerAbilities | null {
    return this.#abilities.get(nodeId) ?? null;
  }

  /** Whether a node has lost its disk and never votes, as it says itself; no for one that was not heard of yet. */
  isFenced(nodeId: NodeId): boolean {
    return this.#fenced.has(nodeId);
  }

  noteFence(nodeId: NodeId, isFenced: boolean): void {
    if (isFenced) this.#fenced.add(nodeId);
    else this.#fenced.delete(nodeId);
  }

  noteInfo(nodeId: NodeId, { build, command_kinds, snapshot_formats, fenced = false }: PeerInfo): void {
    this.noteFence(nodeId, fenced);
    const told = { build, commandKinds: command_kinds, snapshotFormats: snapshot_formats };
    if (JSON.stringify(this.#abilities.get(nodeId)) === JSON.stringify(told)) return;
    this.#abilities.set(nodeId, told);
    this.#write();
  }

  noteClock(nodeId: NodeId, clock: { offsetMs: number; uncertaintyMs: number }): void {
    this.#clocks.set(nodeId, { ...clock, readAtMs: this.#nowMs() });
  }

  clocks(): PeerClock[] {
    const nowMs = this.#nowMs();
    return [...this.#clocks].map(([nodeId, { offsetMs, uncertaintyMs, readAtMs }]) => {
      return { nodeId, offsetMs, uncertaintyMs, ageMs: nowMs - readAtMs };
    });
  }

  medianClock(self: NodeId, voters: readonly NodeId[]): MedianClock | null {
    return medianClock(self, voters, this.clocks());
  }

  /** Not synced: what a power cut takes is heard again. */
  #write(): void {
    if (this.#path === null) return;
    const members = Object.fromEntries(
      [...this.#abilities].map(([id, { build, commandKinds, snapshotFormats }]) => [
        id,
        { build, command_kinds: commandKinds, snapshot_formats: snapshotFormats },
      ]),
    );
    writeFileSync(`${this.#path}.new`, JSON.stringify({ version: 1, members }));
    renameSync(`${this.#path}.new`, this.#path);
  }
}

function readFile(path: string): [NodeId, PeerAbilities][] {
  try {
    const { members } = fileSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    return Object.entries(members).map(([id, { build, command_kinds, snapshot_formats }]) => [
      Number(id),
      { build, commandKinds: command_kinds, snapshotFormats: snapshot_formats },
    ]);
  } catch {
    // Not there yet, or cut off by a power cut.
    return [];
  }
}
