/**
 * The first frame on a stream, in both directions: who speaks, of which cluster. It must say what the certificate says:
 * a node that was given another's certificate, or that is set up for another cluster, is refused by both ends.
 */
import type { TLSSocket } from "node:tls";
import type { NodeId } from "../raft/types.ts";
import { encodeFrame, type Frame, FRAME_KINDS, FrameReader } from "./frame.ts";
import { identityTrouble, type PeerIdentity, readPeerIdentity } from "./peer-identity.ts";

const PROTOCOL = 1;
/** Kinds of frame that an introduction may list. */
const TAKES_MAX = 255;
/** From the connection until both ends are introduced. */
export const INTRODUCTION_MS = 5_000;

export type Introduction = PeerIdentity;

/** Who dials is no member any more, and will never be one again. */
export class RemovedNodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RemovedNodeError";
  }
}

/** What a node is to the one that it dials. */
export type Standing = "peer" | "removed" | "stranger";

/** A stream whose other end is known. */
export interface PeerStream {
  nodeId: NodeId;
  socket: TLSSocket;
  /** Kinds of frame that the other end takes. */
  takes: number[];
  /** Frames that came right behind the introduction. */
  early: Frame[];
  /** To be called when the stream has ended. */
  closed: () => void;
}

function encodeIntroduction({ clusterId, nodeId }: Introduction): Buffer {
  const text = JSON.stringify({
    protocol: PROTOCOL,
    cluster_id: clusterId,
    node_id: nodeId,
    takes: Object.values(FRAME_KINDS),
  });
  return encodeFrame(FRAME_KINDS.hello, Buffer.from(text));
}

/** In the place of an introduction. A build that does not know it takes it for another protocol, and hangs up as well. */
function encodeRemoval(): Buffer {
  return encodeFrame(FRAME_KINDS.hello, Buffer.from(JSON.stringify({ refused: "removed" })));
}

/**
 * Sends our introduction and checks the other end's against `expected`. Rejects with the reason of a refusal: by a
 * `RemovedNodeError` when the other end says that this node was removed.
 */
export async function introduce(
  socket: TLSSocket,
  own: Introduction,
  expected: Introduction,
): Promise<{ early: Frame[]; takes: number[] }> {
  const trouble = identityTrouble(socket.getPeerCertificate().subjectaltname, expected);
  if (trouble !== null) throw new Error(trouble);
  socket.write(encodeIntroduction(own));
  const [hello, ...early] = await firstFrames(socket);
  if (hello?.kind !== FRAME_KINDS.hello) throw new Error("the stream does not begin with an introduction");
  const claim = JSON.parse(hello.payload.toString()) as Record<string, unknown>;
  if (claim["refused"] === "removed") throw new RemovedNodeError("this node was removed from the cluster");
  if (claim["protocol"] !== PROTOCOL)
    throw new Error(`the peer speaks protocol ${String(claim["protocol"])}`);
  if (claim["cluster_id"] !== expected.clusterId || claim["node_id"] !== expected.nodeId) {
    throw new Error("the peer claims to be another than its certificate says");
  }
  return { early, takes: readTakes(claim["takes"]) };
}

/** What comes without a list is of a build that knew the first kinds alone, and is sent no others. */
function readTakes(value: unknown): number[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.length <= TAKES_MAX && value.every((kind) => Number.isInteger(kind)))
    return value as number[];
  throw new Error("the introduction lists no kinds of frame");
}

/** The accepting end: the certificate must be of this cluster, of a peer. One that was removed is told so. */
export async function acceptPeer(
  socket: TLSSocket,
  options: { introduction: Introduction; standingOf: (nodeId: NodeId) => Standing },
): Promise<PeerStream> {
  const { introduction, standingOf } = options;
  const identity = readPeerIdentity(socket.getPeerCertificate().subjectaltname);
  if (identity === null) throw new Error("the certificate names no node");
  const { nodeId } = identity;
  const expected = { clusterId: introduction.clusterId, nodeId };
  const standing = standingOf(nodeId);
  if (standing === "removed" && identity.clusterId === introduction.clusterId) {
    socket.write(encodeRemoval());
    throw new RemovedNodeError(`node ${nodeId} was removed and still runs: stop it and remove its data`);
  }
  if (standing !== "peer") throw new Error(`node ${nodeId} is not a peer that dials this node`);
  return { nodeId, socket, ...(await introduce(socket, introduction, expected)), closed: () => undefined };
}

function firstFrames(socket: TLSSocket): Promise<Frame[]> {
  const reader = new FrameReader();
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      socket.off("data", onData);
      socket.off("error", onError);
      socket.off("close", onClose);
      socket.pause();
      act();
    };
    const onError = (error: Error): void => settle(() => reject(error));
    const onClose = (): void => settle(() => reject(new Error("the peer hung up before it was introduced")));
    const onData = (chunk: Buffer): void => {
      try {
        const frames = reader.push(chunk);
        if (frames.length === 0) return;
        // Half a frame behind the first ones goes back, for whoever reads on.
        const rest = reader.rest();
        settle(() => resolve(frames));
        if (rest.byteLength > 0) socket.unshift(rest);
      } catch (error) {
        onError(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const timer = setTimeout(
      () => onError(new Error("the peer did not introduce itself in time")),
      INTRODUCTION_MS,
    );
    socket.on("data", onData);
    socket.on("error", onError);
    socket.on("close", onClose);
  });
}
