/**
 * Raft over the network: one long-lived duplex stream for each pair of members, mutual TLS 1.3 with certificates of the
 * cluster's own CA. The member with the higher id dials, the lower one listens, so there is one stream and no doubt which.
 *
 * Invariant: a frame is taken only from a connection whose certificate (peer-identity.ts) and first frame name the same
 * member of this cluster, and a message only when it says it is from that member to this one. Whatever breaks this, or is
 * no frame or message, closes the connection with a line in the log.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { Message, NodeId } from "../raft/types.ts";
import { hashFile } from "../storage/hash-file.ts";
import { connectPeer, PROBE_PROTOCOL, takeLeave } from "./connect-peer.ts";
import { describePeerTrouble, PeerTroubleError } from "./describe-peer-trouble.ts";
import { FRAME_KINDS } from "./frame.ts";
import type { InfoChannel, InfoReceiver } from "./info-channel.ts";
import {
  acceptPeer,
  type Introduction,
  INTRODUCTION_MS,
  type PeerStream,
  RemovedNodeError,
  type Standing,
} from "./introduce-peer.ts";
import type { PeerAddress, PeerCredentials, TransportLog } from "./peer-address.ts";
import { PeerDialer } from "./peer-dialer.ts";
import { PeerSession } from "./peer-session.ts";
import { ARRIVED_PREFIX, SnapshotStaging, type StagingFiles } from "./snapshot-staging.ts";
import type { Receive, SnapshotMessage, SnapshotTransfer, Transport } from "./transport.ts";

export interface TlsTransportOptions {
  clusterId: string;
  nodeId: NodeId;
  credentials: PeerCredentials;
  /** The other members. */
  peers: readonly PeerAddress[];
  host: string;
  /** 0: any free port. */
  port: number;
  /** Where snapshots arrive (snapshot-staging.ts). */
  stagingDirectory: string;
  /** Formats of snapshots that this build reads. */
  snapshotFormats: readonly number[];
  /** For tests: a disk that is full. */
  stagingFiles?: StagingFiles;
  /** A peer has said that this node was removed from the cluster. May be called again and again. */
  onRemoved?: () => void;
  log: TransportLog;
}

/** Strangers and removed nodes come again every second or minute: the same one is told of this often. */
const REFUSAL_SAID_EVERY_MS = 10 * 60_000;
/** Refusals that are remembered for that. */
const REFUSALS_KEPT_MAX = 64;

/** What else than Raft goes over the streams: the conversation of the first boot. */
export interface FoundingChannel {
  sendFounding(to: NodeId, payload: Uint8Array): void;
  onFounding(receive: ((from: NodeId, payload: Buffer) => void) | null): void;
  /** Members with a stream now. */
  connected(): NodeId[];
}

export class TlsTransport implements Transport, FoundingChannel, InfoChannel {
  readonly #options: TlsTransportOptions;
  readonly #introduction: Introduction;
  readonly #server: Server;
  readonly #dialers = new Map<NodeId, { peer: PeerAddress; dialer: PeerDialer }>();
  readonly #peers = new Map<NodeId, PeerAddress>();
  /** Whether any node of the cluster may dial, member or not: while this one is not let in it knows no better. */
  #welcomesAll = false;
  #removed: ReadonlySet<NodeId> = new Set();
  /** When each refusal was told last, by what was told. */
  readonly #refusals = new Map<string, number>();
  readonly #staging: SnapshotStaging;
  readonly #sessions = new Map<NodeId, PeerSession>();
  #receive: Receive | null = null;
  #receiveFounding: ((from: NodeId, payload: Buffer) => void) | null = null;
  /** Of copies that may be sent more than once. */
  readonly #digests = new WeakMap<object, ReturnType<typeof hashFile>>();
  #infoReceiver: InfoReceiver | null = null;
  #report: ((nodeId: NodeId) => void) | null = null;
  #closed = false;

  constructor(options: TlsTransportOptions) {
    this.#options = options;
    const { clusterId, nodeId, credentials } = options;
    this.#introduction = { clusterId, nodeId };
    for (const peer of options.peers) this.#peers.set(peer.nodeId, peer);
    this.#staging = new SnapshotStaging({
      directory: options.stagingDirectory,
      formats: options.snapshotFormats,
      log: options.log,
      ...(options.stagingFiles === undefined ? {} : { files: options.stagingFiles }),
    });
    this.#server = createServer({
      ...credentials,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
      ALPNProtocols: [PROBE_PROTOCOL],
    });
    this.#server.on("secureConnection", (socket) => this.#accept(socket));
    this.#server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      const from = socket.remoteAddress ?? "an address that is gone";
      this.#refused("a stranger was refused by TLS", { from, reason: error.code ?? error.message });
    });
  }

  /** Listens, and begins to dial. Rejects with the system's error, as for a taken port. */
  async listen(): Promise<number> {
    const { host, port, nodeId, stagingDirectory } = this.#options;
    mkdirSync(stagingDirectory, { recursive: true });
    for (const name of readdirSync(stagingDirectory)) {
      if (name.startsWith(ARRIVED_PREFIX)) rmSync(join(stagingDirectory, name));
    }
    this.#staging.recover();
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    for (const peer of this.#peers.values()) if (peer.nodeId < nodeId) this.dial(peer);
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Who is a peer from now on: streams to others end, those with a lower id are dialled. `welcomesAll`: besides, whoever
   * has a certificate of the cluster and a higher id may dial. `removed`: those are told that they were.
   */
  setPeers(
    peers: readonly PeerAddress[],
    options: { welcomesAll: boolean; removed?: ReadonlySet<NodeId> },
  ): void {
    if (this.#closed) return;
    this.#removed = options.removed ?? new Set();
    this.#welcomesAll = options.welcomesAll;
    const next = new Map(peers.map((peer) => [peer.nodeId, peer]));
    for (const nodeId of this.#peers.keys()) if (!next.has(nodeId)) this.#forget(nodeId);
    for (const [nodeId, peer] of next) {
      this.#peers.set(nodeId, peer);
      const dialled = this.#dialers.get(nodeId)?.peer;
      const isSame = dialled?.host === peer.host && dialled.port === peer.port;
      if (nodeId < this.#options.nodeId && !isSame) this.dial(peer);
    }
  }

  #forget(nodeId: NodeId): void {
    this.#peers.delete(nodeId);
    this.#dialers.get(nodeId)?.dialer.close();
    this.#dialers.delete(nodeId);
    this.#sessions.get(nodeId)?.connection.close("it is no member any more");
  }

  /** Resolves when the node answers at its address; rejects by a `PeerTroubleError` with what was found there instead. */
  async probe(peer: PeerAddress, timeoutMs: number): Promise<void> {
    const { clusterId, credentials } = this.#options;
    const expected = { clusterId, nodeId: peer.nodeId };
    try {
      takeLeave(await connectPeer({ peer, credentials, expected, timeoutMs, isProbe: true }), timeoutMs);
    } catch (error) {
      const { nodeId, host, port } = peer;
      this.#warn("a node was not found at its address", { peer: nodeId, host, port, reason: causeOf(error) });
      throw new PeerTroubleError(describePeerTrouble(error), { cause: error });
    }
  }

  /** Keeps a stream to a member with a lower id, from now on, and none to where it was before. */
  dial(peer: PeerAddress): void {
    const { credentials, log } = this.#options;
    this.#dialers.get(peer.nodeId)?.dialer.close();
    const dialer = new PeerDialer({
      peer,
      credentials,
      introduction: this.#introduction,
      onStream: (stream) => this.#open(stream),
      onRemoved: () => this.#options.onRemoved?.(),
      log,
    });
    this.#dialers.set(peer.nodeId, { peer, dialer });
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) this.#sessions.get(message.to)?.sendMessage(message);
  }

  onMessage(receive: Receive | null): void {
    this.#receive = receive;
  }

  async sendSnapshot(message: SnapshotMessage, path: string, transfer: SnapshotTransfer): Promise<void> {
    const { copy, format, signal } = transfer;
    const { sha256, sizeBytes } = await this.#digestOf(copy, path);
    const session = this.#sessions.get(message.to);
    if (session === undefined) throw new Error(`there is no connection to node ${message.to}`);
    await session.sendSnapshot({ format, sizeBytes, sha256, message }, path, signal);
  }

  #digestOf(copy: object, path: string): ReturnType<typeof hashFile> {
    const known = this.#digests.get(copy);
    if (known !== undefined) return known;
    const digest = hashFile(path);
    this.#digests.set(copy, digest);
    // A disk or process in trouble for a moment: the next attempt reads the copy anew.
    digest.catch(() => this.#digests.delete(copy));
    return digest;
  }

  onUnreachable(report: ((nodeId: NodeId) => void) | null): void {
    this.#report = report;
  }

  sendFounding(to: NodeId, payload: Uint8Array): void {
    this.#sessions.get(to)?.connection.send(FRAME_KINDS.founding, payload, { droppable: true });
  }

  onFounding(receive: ((from: NodeId, payload: Buffer) => void) | null): void {
    this.#receiveFounding = receive;
  }

  sendInfo(to: NodeId, payload: Uint8Array): void {
    this.#sessions.get(to)?.sendInfo(payload);
  }

  onInfo(receive: InfoReceiver | null): void {
    this.#infoReceiver = receive;
  }

  connected(): NodeId[] {
    return [...this.#sessions.keys()].toSorted((a, b) => a - b);
  }

  /** Ends every stream. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { dialer } of this.#dialers.values()) dialer.close();
    for (const session of this.#sessions.values()) session.connection.close("this node stops");
    await this.#staging.close();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #accept(socket: TLSSocket): void {
    // Whatever happens to a stream before it is a peer's is told by the refusal below.
    socket.on("error", () => undefined);
    if (socket.alpnProtocol === PROBE_PROTOCOL) {
      takeLeave(socket, INTRODUCTION_MS);
      return;
    }
    const standingOf = (nodeId: NodeId): Standing => {
      if (nodeId > this.#options.nodeId && (this.#welcomesAll || this.#peers.has(nodeId))) return "peer";
      return this.#removed.has(nodeId) ? "removed" : "stranger";
    };
    const from = socket.remoteAddress ?? "";
    acceptPeer(socket, { introduction: this.#introduction, standingOf }).then(
      (stream) => this.#open(stream),
      (error: unknown) => {
        if (error instanceof RemovedNodeError) takeLeave(socket, INTRODUCTION_MS);
        else socket.destroy();
        const reason = error instanceof Error ? error.message : String(error);
        this.#refused("a peer was refused", { from, reason });
      },
    );
  }

  /** A line in the log, unless the same was told lately. */
  #refused(msg: string, { from, reason }: { from: string; reason: string }): void {
    const what = `${msg} ${from} ${reason}`;
    const nowMs = performance.now();
    if (nowMs - (this.#refusals.get(what) ?? -Infinity) < REFUSAL_SAID_EVERY_MS) return;
    if (this.#refusals.size >= REFUSALS_KEPT_MAX) this.#refusals.clear();
    this.#refusals.set(what, nowMs);
    this.#warn(msg, { from, reason });
  }

  /** Takes a stream that was introduced; it replaces an older one, which a crashed peer may have left half open. */
  #open({ nodeId, socket, early, takes, closed: onClosed }: PeerStream): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    this.#sessions.get(nodeId)?.connection.close("the peer connected anew");
    const session = new PeerSession(socket, {
      self: this.#options.nodeId,
      peer: nodeId,
      peerTakes: takes,
      staging: this.#staging,
      onMessage: (message, path) => this.#deliver(message, path),
      onFounding: (payload) => this.#receiveFounding?.(nodeId, payload),
      onInfo: (payload) => this.#infoReceiver?.onInfo(nodeId, payload),
      onLost: () => this.#reportLater(nodeId),
      onClose: (reason) => {
        if (this.#sessions.get(nodeId) === session) this.#sessions.delete(nodeId);
        if (!this.#closed) this.#warn("the stream to a peer ended", { peer: nodeId, reason });
        this.#reportLater(nodeId);
        onClosed();
      },
    });
    this.#sessions.set(nodeId, session);
    this.#options.log({ level: "info", msg: "the stream to a peer is up", peer: nodeId });
    this.#infoReceiver?.onConnected(nodeId);
    for (const frame of early) session.take(frame);
  }

  #deliver(message: Message, path: string | undefined): void {
    if (this.#receive !== null) this.#receive(message, path);
    else if (path !== undefined) rmSync(path, { force: true });
  }

  #reportLater(nodeId: NodeId): void {
    setImmediate(() => this.#report?.(nodeId));
  }

  #warn(msg: string, fields: Record<string, unknown>): void {
    this.#options.log({ level: "warn", msg, ...fields });
  }
}

/** As the system says it. Several addresses of one name that all refuse have no message between them. */
function causeOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || (code ?? String(error));
}
