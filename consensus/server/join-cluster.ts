/**
 * How a node with an empty disk comes to a cluster that is there already (R5). It asks whoever it reaches, under a name that
 * it has made with its disk; once an operator has admitted its id, that name is in the state of every member, and any of them
 * answers. Only then is its log made, empty and without members: what it is told from there on comes from the leader.
 *
 * Invariant: a node takes part only with the disk under which its id was admitted. The same id with another disk is fenced
 * (found-cluster.ts says what that means), an id that was removed is refused for good.
 */
import { randomBytes } from "node:crypto";
import type { NodeRecord } from "../../domain/cluster/node-record.ts";
import type { NodeId } from "../raft/types.ts";
import type { FoundingChannel } from "../transport/tls-transport.ts";
import type { Logger } from "./core-context.ts";
import type { JoinRequest } from "./peer-book.ts";
import { EnvironmentError } from "./environment-error.ts";
import { type FoundingRecord, readFoundingRecord, writeFoundingRecord } from "./founding-record.ts";

const ASK_EVERY_MS = 200;
const SAY_EVERY_MS = 5_000;
const DISK_ID_BYTES = 16;
/** Nodes that ask to be let in and are remembered at once. */
const ASKERS_MAX = 64;

type JoinMessage =
  | { type: "join"; disk_id: string; url: string }
  | { type: "join_admitted"; disk_id: string }
  | { type: "join_fenced" }
  | { type: "join_refused"; reason: string };

/** Null for what is of another conversation on the same channel. */
export function readJoinMessage(payload: Uint8Array): JoinMessage | null {
  const message = JSON.parse(Buffer.from(payload).toString()) as JoinMessage;
  return typeof message.type === "string" && message.type.startsWith("join") ? message : null;
}

interface JoiningOptions {
  nodeId: NodeId;
  /** Of this node's HTTP surface. */
  url: string;
  directory: string;
  channel: FoundingChannel;
  logger: Logger;
}

/** The asking side. */
export class Joining {
  readonly #options: JoiningOptions;
  readonly #done = Promise.withResolvers<{ fenced: boolean }>();
  #record: FoundingRecord;
  #timer: NodeJS.Timeout | null = null;
  #saidAtMs = -Infinity;

  /** Throws for a damaged record. */
  constructor(options: JoiningOptions) {
    this.#options = options;
    const known = readFoundingRecord(options.directory);
    const diskId = randomBytes(DISK_ID_BYTES).toString("hex");
    this.#record = known ?? { state: "joining", members: [], confirmed: [], disk_id: diskId };
    if (known === null) writeFoundingRecord(options.directory, this.#record);
  }

  /** Resolves when the log may be opened. Rejects with an `EnvironmentError` when this id will never be let in. */
  begin(): Promise<{ fenced: boolean }> {
    if (this.#record.state !== "joining") return Promise.resolve({ fenced: this.#record.state === "fenced" });
    const ask = (): void => {
      const { channel, nodeId, url, logger } = this.#options;
      const message: JoinMessage = { type: "join", disk_id: this.#record.disk_id ?? "", url };
      for (const peer of channel.connected())
        channel.sendFounding(peer, Buffer.from(JSON.stringify(message)));
      if (performance.now() - this.#saidAtMs < SAY_EVERY_MS) return;
      this.#saidAtMs = performance.now();
      const connected = channel.connected();
      logger({ level: "info", msg: "waiting to be let into the cluster", node_id: nodeId, connected });
    };
    ask();
    this.#timer = setInterval(ask, ASK_EVERY_MS);
    return this.#done.promise;
  }

  take(message: JoinMessage): void {
    if (this.#record.state !== "joining") return;
    if (message.type === "join_admitted" && message.disk_id === this.#record.disk_id) {
      this.close();
      this.#done.resolve({ fenced: false });
    } else if (message.type === "join_fenced") {
      this.#options.logger({
        level: "error",
        msg: "this node has an empty disk, but the cluster knows its id: it will follow and never vote; replace it under a new id",
      });
      this.#write({ ...this.#record, state: "fenced" });
      this.close();
      this.#done.resolve({ fenced: true });
    } else if (message.type === "join_refused") {
      this.close();
      this.#done.reject(new EnvironmentError(message.reason));
    }
  }

  /** The log is made: from here on a lost log is a fault. */
  noteLog(): void {
    if (this.#record.state === "joining") this.#write({ ...this.#record, state: "joined" });
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #write(record: FoundingRecord): void {
    writeFoundingRecord(this.#options.directory, record);
    this.#record = record;
  }
}

/** What a member knows of who may be let in. */
interface JoinView {
  recordOf(nodeId: NodeId): NodeRecord | undefined;
  isMember(nodeId: NodeId): boolean;
}

/** The answering side, on a member. */
export class JoinDesk {
  readonly #channel: FoundingChannel;
  readonly #view: JoinView;
  readonly #asked = new Map<NodeId, JoinRequest>();

  constructor(channel: FoundingChannel, view: JoinView) {
    this.#channel = channel;
    this.#view = view;
  }

  take(from: NodeId, message: JoinMessage): void {
    if (message.type !== "join") return;
    const record = this.#view.recordOf(from);
    if (record?.removed === true) {
      const reason = `node ${from} was a member once: its id is never used again`;
      this.#send(from, { type: "join_refused", reason });
    } else if (record !== undefined && record.disk_id === message.disk_id) {
      this.#send(from, { type: "join_admitted", disk_id: message.disk_id });
    } else if (record !== undefined || this.#view.isMember(from)) {
      this.#send(from, { type: "join_fenced" });
    } else if (this.#asked.size < ASKERS_MAX || this.#asked.has(from)) {
      this.#asked.set(from, { diskId: message.disk_id, url: message.url });
    }
  }

  /** What a node that is not admitted yet said of itself last. */
  requestOf(nodeId: NodeId): JoinRequest | undefined {
    return this.#asked.get(nodeId);
  }

  #send(to: NodeId, message: JoinMessage): void {
    this.#channel.sendFounding(to, Buffer.from(JSON.stringify(message)));
  }
}
