/**
 * First boot (R7) and the fence (R5). Nodes with empty disks ask; when all expected peers have asked, the lowest id founds
 * the cluster and invites them; who has noted the membership durably says so, is noted by the founder durably in turn, and
 * is told to begin. Afterwards membership comes from the log, and none of this is looked at again but for the fence.
 *
 * Invariant: a node votes only after the founder has noted it. So a node that asks with an empty disk and is noted has lost
 * a disk with which it may have voted: it is fenced, and every crash in between leaves a state from which the same
 * conversation goes on. Broken by removing the founder's record alone while its log stays. Once the founder is removed from
 * the cluster nobody knows whom it has noted: every other founding member then fences whoever asks, since those left go on
 * without one that never began.
 */
import type { NodeId } from "../raft/types.ts";
import type { FoundingChannel } from "../transport/tls-transport.ts";
import { type FoundingRecord, readFoundingRecord, writeFoundingRecord } from "./founding-record.ts";
import type { Logger } from "./core-context.ts";

/** Pause between two questions to the peers. */
const ASK_EVERY_MS = 100;
/** Pause between two lines that say for whom a node waits. */
const SAY_EVERY_MS = 5_000;

type FoundingMessage =
  /** I have an empty disk. */
  | { type: "ask" }
  /** The cluster begins with these. */
  | { type: "invite"; members: NodeId[] }
  /** I have noted the membership. */
  | { type: "accepted" }
  /** And I have noted you: begin. */
  | { type: "confirmed" }
  /** You were a member before: you have lost your disk. */
  | { type: "fenced"; members: NodeId[] };

export interface Founded {
  members: NodeId[];
  fenced: boolean;
  /** The log of this node exists already; it must not be made anew. */
  hasLog: boolean;
}

export interface FoundingOptions {
  nodeId: NodeId;
  /** Ids of all expected members, this one included. */
  expected: readonly NodeId[];
  directory: string;
  channel: FoundingChannel;
  /** Whether a node is known to have been removed from the cluster for good. Absent: none is. */
  isRemoved?: (nodeId: NodeId) => boolean;
  logger: Logger;
}

export class Founding {
  readonly #options: FoundingOptions;
  readonly #expected: readonly NodeId[];
  readonly #asked = new Set<NodeId>();
  readonly #done = Promise.withResolvers<Founded>();
  #record: FoundingRecord | null;
  #timer: NodeJS.Timeout | null = null;
  #saidAtMs = -Infinity;

  /** Throws for a damaged record. */
  constructor(options: FoundingOptions) {
    this.#options = options;
    this.#expected = options.expected.toSorted((a, b) => a - b);
    this.#record = readFoundingRecord(options.directory);
  }

  /** Resolves when this node may open its log. Goes on answering others until `close`. */
  begin(): Promise<Founded> {
    this.#options.channel.onFounding((from, payload) => this.#take(from, payload));
    // Where nobody else is expected all have asked, and no question will ever say so.
    if (this.#record === null && this.#allAsked()) this.#found();
    else this.#advance();
    return this.#done.promise;
  }

  /** The log is made: from here on the node votes (unless it is fenced). Call before it is started. */
  noteLog(): void {
    if (this.#record?.state === "accepted") this.#write({ ...this.#record, state: "voting" });
  }

  close(): void {
    this.#stopAsking();
    this.#options.channel.onFounding(null);
  }

  /** Acts on where this node stands; asks again until that has changed. */
  #advance(): void {
    const record = this.#record;
    if (record === null) {
      this.#askAgain({ type: "ask" });
    } else if (record.state === "accepted" && this.#founderOf(record.members) !== this.#options.nodeId) {
      this.#askAgain({ type: "accepted" });
    } else {
      this.#finish(record);
    }
  }

  #finish({ members, state }: FoundingRecord): void {
    this.#stopAsking();
    this.#done.resolve({ members, fenced: state === "fenced", hasLog: state === "voting" });
  }

  #askAgain(message: FoundingMessage): void {
    this.#stopAsking();
    const ask = (): void => {
      const { channel, nodeId, logger } = this.#options;
      for (const peer of this.#expected) if (peer !== nodeId) this.#send(peer, message);
      if (performance.now() - this.#saidAtMs < SAY_EVERY_MS) return;
      this.#saidAtMs = performance.now();
      logger({
        level: "info",
        msg: "waiting for the cluster to begin",
        expected: this.#expected,
        connected: channel.connected(),
      });
    };
    ask();
    this.#timer = setInterval(ask, ASK_EVERY_MS);
  }

  #stopAsking(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #take(from: NodeId, payload: Buffer): void {
    const message = JSON.parse(payload.toString()) as FoundingMessage;
    if (message.type === "ask") this.#takeAsk(from);
    else if (message.type === "invite") this.#takeInvite(from, message.members);
    else if (message.type === "accepted") this.#takeAccepted(from);
    else if (message.type === "confirmed") this.#takeConfirmed(from);
    else if (message.type === "fenced") this.#takeFenced(from, message.members);
  }

  #takeAsk(from: NodeId): void {
    const { nodeId } = this.#options;
    const record = this.#record;
    if (record === null) {
      this.#asked.add(from);
      if (nodeId === this.#founderOf(this.#expected) && this.#allAsked()) this.#found();
      return;
    }
    if (record.state === "fenced" || !record.members.includes(from)) return;
    const founder = this.#founderOf(record.members);
    const hasLeft = this.#options.isRemoved?.(founder) === true;
    const isLost = nodeId === founder ? record.confirmed.includes(from) : from === founder || hasLeft;
    if (isLost) this.#send(from, { type: "fenced", members: record.members });
    else if (nodeId === founder) this.#send(from, { type: "invite", members: record.members });
  }

  #allAsked(): boolean {
    return this.#expected.every((id) => id === this.#options.nodeId || this.#asked.has(id));
  }

  #found(): void {
    const members = [...this.#expected];
    this.#options.logger({ level: "info", msg: "founding the cluster", members });
    this.#write({ state: "accepted", members, confirmed: [] });
    for (const peer of members)
      if (peer !== this.#options.nodeId) this.#send(peer, { type: "invite", members });
    this.#advance();
  }

  #takeInvite(from: NodeId, members: NodeId[]): void {
    if (this.#record !== null || from !== this.#founderOf(members)) return;
    if (!members.includes(this.#options.nodeId)) return;
    this.#write({ state: "accepted", members, confirmed: [] });
    this.#advance();
  }

  #takeAccepted(from: NodeId): void {
    const record = this.#record;
    if (record === null || record.state === "fenced" || !record.members.includes(from)) return;
    if (this.#founderOf(record.members) !== this.#options.nodeId) return;
    if (!record.confirmed.includes(from))
      this.#write({ ...record, confirmed: [...record.confirmed, from].toSorted((a, b) => a - b) });
    this.#send(from, { type: "confirmed" });
  }

  #takeConfirmed(from: NodeId): void {
    const record = this.#record;
    if (record?.state === "accepted" && from === this.#founderOf(record.members)) this.#finish(record);
  }

  #takeFenced(from: NodeId, members: NodeId[]): void {
    if (this.#record !== null || !members.includes(this.#options.nodeId)) return;
    this.#options.logger({
      level: "error",
      msg: "this node has an empty disk, but the cluster knows it: it will follow and never vote; replace it under a new id",
      told_by: from,
    });
    this.#write({ state: "fenced", members, confirmed: [] });
    this.#advance();
  }

  #founderOf(members: readonly NodeId[]): NodeId {
    return Math.min(...members);
  }

  #write(record: FoundingRecord): void {
    writeFoundingRecord(this.#options.directory, record);
    this.#record = record;
  }

  #send(to: NodeId, message: FoundingMessage): void {
    this.#options.channel.sendFounding(to, Buffer.from(JSON.stringify(message)));
  }
}
