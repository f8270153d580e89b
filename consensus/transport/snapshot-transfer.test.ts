import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { encodeFrame, FRAME_KINDS, FrameReader } from "./frame.ts";
import { MessageFormatError } from "./message-codec.ts";
import {
  decodeOffer,
  encodeOffer,
  encodePiece,
  encodeProgress,
  PIECE_BYTES,
  SNAPSHOT_BYTES_MAX,
} from "./snapshot-frames.ts";
import { nextWindowBytes, PACE_DELAY_MAX_MS, WINDOW_BYTES_MAX, WINDOW_BYTES_MIN } from "./snapshot-pace.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import {
  DISK_RESERVE_BYTES,
  nodeStagingFiles,
  SnapshotStaging,
  type StagingFiles,
} from "./snapshot-staging.ts";
import type { SnapshotMessage } from "./transport.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-transfer-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const SIZE = 5 * PIECE_BYTES + 1234;
const content = Buffer.alloc(SIZE);
for (let i = 0; i < SIZE; i += 4) content.writeUInt32BE((i * 2_654_435_761) >>> 0, Math.min(i, SIZE - 4));
const sentFile = join(root, "sent.db");
writeFileSync(sentFile, content);
const sha256Of = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

const message = (changes: { index?: number; term?: number } = {}): SnapshotMessage => ({
  type: "snapshot",
  from: 1,
  to: 2,
  term: changes.term ?? 3,
  meta: { index: changes.index ?? 9, term: 2, membership: { voters: [1, 2], outgoing: [], learners: [] } },
});
const offerOf = (changes: { index?: number; term?: number; sha256?: Buffer; format?: number } = {}) => ({
  format: changes.format ?? 1,
  sizeBytes: SIZE,
  sha256: changes.sha256 ?? sha256Of(content),
  message: message(changes),
});

let directory: string;
let lines: string[];
let delivered: { message: SnapshotMessage; path: string }[];
let tests = 0;
beforeEach(() => {
  tests += 1;
  directory = join(root, `d${tests}`);
  mkdirSync(directory);
  lines = [];
  delivered = [];
});
function staging(files: Partial<StagingFiles> = {}, syncEveryBytes = 2 * PIECE_BYTES): SnapshotStaging {
  const made = new SnapshotStaging({
    directory,
    formats: [1],
    log: ({ reason }) => lines.push(String(reason)),
    files: { ...nodeStagingFiles, ...files },
    syncEveryBytes,
  });
  made.recover();
  return made;
}

interface Wire {
  sender: SnapshotSender;
  /** Where the receiver said to begin, and each acknowledgement after that. */
  acknowledged: number[];
  sentBytes: () => number;
  closed: () => string | null;
  cut: (reason: string) => void;
}
interface Faults {
  /** The stream ends there. */
  cutAtByte?: number;
  /** Nothing arrives from there on. */
  stallAtByte?: number;
  damageAtByte?: number;
}
/** A stream between two members: frames arrive in later turns. */
function wire(to: SnapshotStaging, fault: Faults = {}): Wire {
  let bytes = 0;
  let closed: string | null = null;
  const acknowledged: number[] = [];
  const reader = new FrameReader();
  const backwards = {
    send: (kind: number, payload: Uint8Array) => {
      const copy = Buffer.from(payload);
      if (kind === FRAME_KINDS.snapshotProgress) acknowledged.push(Number(copy.readBigUInt64BE(32)));
      setImmediate(() => {
        if (closed === null) sender.take({ kind, payload: copy });
      });
    },
  };
  const receiver = new SnapshotReceiver(() => backwards, to, {
    expect: () => undefined,
    deliver: (arrived, path) => delivered.push({ message: arrived, path }),
  });
  const cut = (reason: string): void => {
    if (closed !== null) return;
    closed = reason;
    receiver.abandon();
    sender.abandon(reason);
  };
  const arrive = (part: Buffer): void => {
    if (closed !== null) return;
    try {
      for (const frame of reader.push(part)) receiver.take(frame);
    } catch (error) {
      cut((error as Error).message);
    }
  };
  const sender: SnapshotSender = new SnapshotSender({
    send: (kind, payload) => {
      const frame = encodeFrame(kind, payload);
      const { cutAtByte = Infinity, damageAtByte = Infinity, stallAtByte = Infinity } = fault;
      const left = cutAtByte - bytes;
      if (damageAtByte >= bytes && damageAtByte < bytes + frame.byteLength) frame[damageAtByte - bytes]! ^= 1;
      bytes += frame.byteLength;
      if (bytes > stallAtByte) return;
      setImmediate(() => {
        arrive(left < frame.byteLength ? frame.subarray(0, Math.max(left, 0)) : frame);
        if (left < frame.byteLength) cut("cut");
      });
    },
    drained: () => Promise.resolve(),
  });
  return { sender, acknowledged, sentBytes: () => bytes, closed: () => closed, cut };
}
const send = (to: Wire, offer = offerOf()): Promise<void> =>
  to.sender.send(offer, sentFile, new AbortController().signal);
async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 2));
}
async function expectDelivered(): Promise<void> {
  await until(() => delivered.length > 0);
  expect(readFileSync(delivered[0]!.path).equals(content)).toBe(true);
  expect(readdirSync(directory)).toHaveLength(1);
}

describe("R4 a snapshot that breaks off", () => {
  const cuts = [
    10,
    200,
    300,
    ...[1, 2, 3, 4, 5].flatMap((n) => [n * PIECE_BYTES, n * PIECE_BYTES + 700]),
    SIZE,
  ];
  it.each(cuts)("goes on where it was when the stream ends after %i bytes", async (cutAtByte) => {
    const receiver = staging();
    const first = wire(receiver, { cutAtByte });
    await expect(send(first)).rejects.toThrow("cut");
    const arrived = first.acknowledged.at(-1) ?? 0;
    const second = wire(receiver);
    await send(second);
    expect(second.acknowledged[0]).toBe(arrived);
    expect(second.sentBytes()).toBeLessThan(SIZE - arrived + 1000);
    await expectDelivered();
  });

  it("gets through although every stream ends after little more than a piece", async () => {
    const receiver = staging();
    let attempts = 0;
    for (; delivered.length === 0; attempts += 1) {
      await send(wire(receiver, { cutAtByte: PIECE_BYTES + 500 })).catch(() => undefined);
    }
    expect(attempts).toBeLessThan(12);
    await expectDelivered();
  });

  it("a damaged piece ends the stream, and only what came after it is sent again", async () => {
    const receiver = staging();
    const first = wire(receiver, { damageAtByte: 3 * PIECE_BYTES });
    await expect(send(first)).rejects.toThrow("checksum");
    const second = wire(receiver);
    await send(second);
    expect(second.acknowledged[0]).toBe(2 * PIECE_BYTES);
    await expectDelivered();
  });

  it("goes on after the receiver was restarted in between", async () => {
    const before = staging();
    await expect(send(wire(before, { cutAtByte: 4 * PIECE_BYTES }))).rejects.toThrow("cut");
    await before.close();
    const again = wire(staging());
    await send(again);
    expect(again.acknowledged[0]).toBe(3 * PIECE_BYTES);
    await expectDelivered();
  });

  it("goes on from what was surely on disk after the receiver crashed", async () => {
    const synced: number[] = [];
    const before = staging({
      sync: async (descriptor) => {
        await nodeStagingFiles.sync(descriptor);
        synced.push(descriptor);
      },
    });
    await expect(send(wire(before, { cutAtByte: 4 * PIECE_BYTES }))).rejects.toThrow("cut");
    await until(() => readdirSync(directory).includes("unfinished.json"));
    expect(synced).toHaveLength(1);
    const again = wire(staging());
    await send(again);
    expect(again.acknowledged[0]! / PIECE_BYTES).toBeOneOf([2, 3]);
    await expectDelivered();
  });

  it.each([
    ["no note", () => rmSync(join(directory, "unfinished.json"))],
    ["a note that is garbage", () => writeFileSync(join(directory, "unfinished.json"), "{")],
    ["a note of no file", () => rmUnfinished()],
  ])("begins anew when a restart finds %s", async (_name, spoil) => {
    const before = staging();
    await expect(send(wire(before, { cutAtByte: 4 * PIECE_BYTES }))).rejects.toThrow("cut");
    await before.close();
    spoil();
    const again = wire(staging());
    await send(again);
    expect(again.acknowledged[0]).toBe(0);
    await expectDelivered();
  });
  function rmUnfinished(): void {
    for (const name of readdirSync(directory)) if (!name.endsWith(".json")) rmSync(join(directory, name));
  }

  it("whose bytes on disk were lost is found damaged, removed, and sent from its beginning", async () => {
    const before = staging();
    await expect(send(wire(before, { cutAtByte: 4 * PIECE_BYTES }))).rejects.toThrow("cut");
    await before.close();
    const name = readdirSync(directory).find((file) => !file.endsWith(".json"))!;
    writeFileSync(join(directory, name), Buffer.alloc(10));
    const receiver = staging();
    await expect(send(wire(receiver))).rejects.toThrow("arrived damaged");
    expect(readdirSync(directory)).toEqual([]);
    const again = wire(receiver);
    await send(again);
    expect(again.acknowledged[0]).toBe(0);
    await expectDelivered();
  });
});

describe("R4 another snapshot", () => {
  it("voids what is unfinished: by index, term of the leader, or content", async () => {
    const receiver = staging();
    await expect(send(wire(receiver, { cutAtByte: 3 * PIECE_BYTES }))).rejects.toThrow("cut");
    const other = wire(receiver);
    await send(other, offerOf({ index: 10 }));
    expect(other.acknowledged[0]).toBe(0);
    await expectDelivered();
    expect(delivered[0]?.message.meta.index).toBe(10);
  });

  it("of a later leader takes the place of one under way, and an older leader's is refused", async () => {
    const receiver = staging();
    const old = wire(receiver, { stallAtByte: 3 * PIECE_BYTES });
    const oldSend = expect(send(old)).rejects.toThrow("another snapshot took its place");
    await until(() => old.acknowledged.length > 1);
    const next = wire(receiver, { stallAtByte: 4 * PIECE_BYTES });
    const nextSend = expect(send(next, offerOf({ index: 20, term: 4 }))).rejects.toThrow("cut");
    await oldSend;
    await expect(send(wire(receiver))).rejects.toThrow("a later leader sends one");
    await until(() => next.acknowledged.at(-1)! > 0);
    next.cut("cut");
    await nextSend;
    await send(wire(receiver), offerOf({ index: 20, term: 4 }));
    await expectDelivered();
    expect(delivered[0]?.message).toMatchObject({ term: 4, meta: { index: 20 } });
  });

  it("the same of a later leader goes on where the earlier one's was", async () => {
    const receiver = staging();
    await expect(send(wire(receiver, { cutAtByte: 3 * PIECE_BYTES }))).rejects.toThrow("cut");
    const next = wire(receiver);
    await send(next, offerOf({ term: 4 }));
    expect(next.acknowledged[0]).toBe(2 * PIECE_BYTES);
    await expectDelivered();
    expect(delivered[0]?.message.term).toBe(4);
  });

  it("of a format that this build does not read is refused", async () => {
    await expect(send(wire(staging()), offerOf({ format: 2 }))).rejects.toThrow("format 2");
  });

  it("that is not what was announced is refused, and nothing of it stays", async () => {
    const receiver = staging();
    const line = wire(receiver);
    await expect(send(line, offerOf({ sha256: Buffer.alloc(32) }))).rejects.toThrow("arrived damaged");
    expect(line.closed()).toBe(null);
    expect(delivered).toEqual([]);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe("R4 a disk that is full", () => {
  it("is told to the sender before anything is written when there is too little room", async () => {
    const line = wire(staging({ freeBytes: () => DISK_RESERVE_BYTES + SIZE - 1 }));
    await expect(send(line)).rejects.toThrow("bytes are free");
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each(["write", "sync"] as const)(
    "in the middle (%s): told, room made, the stream stays up",
    async (where) => {
      let isFull = true;
      const full = (): never => {
        throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      };
      let writes = 0;
      const receiver = staging({
        write: (descriptor, bytes, position) => {
          writes += 1;
          if (where === "write" && isFull && writes === 3) full();
          return nodeStagingFiles.write(descriptor, bytes, position);
        },
        sync: (descriptor) => (where === "sync" && isFull ? full() : nodeStagingFiles.sync(descriptor)),
      });
      const line = wire(receiver);
      await expect(send(line)).rejects.toThrow("no space left");
      expect(lines.at(-1)).toContain("no space left");
      await until(() => readdirSync(directory).length === 0);
      isFull = false;
      expect(line.closed()).toBe(null);
      await send(line);
      await expectDelivered();
    },
  );
});

describe("R4 what makes no sense ends the stream", () => {
  const take = (receiver: SnapshotStaging) => {
    const line = new SnapshotReceiver(() => ({ send: () => undefined }), receiver, {
      expect: () => undefined,
      deliver: () => undefined,
    });
    return (kind: number, payload: Buffer): void => line.take({ kind, payload });
  };
  it("a piece that was never offered, or at another place than the end", () => {
    const bytes = content.subarray(0, 100);
    const never = take(staging());
    expect(() => never(FRAME_KINDS.snapshotPiece, encodePiece({ offset: 0, bytes }))).toThrow(
      MessageFormatError,
    );
    const offered = take(staging());
    offered(FRAME_KINDS.snapshotOffer, encodeOffer(offerOf()));
    offered(FRAME_KINDS.snapshotPiece, encodePiece({ offset: 0, bytes }));
    for (const offset of [0, 99, 101, SIZE]) {
      const wrong = encodePiece({ offset, bytes });
      expect(() => offered(FRAME_KINDS.snapshotPiece, wrong)).toThrow("up to 100");
    }
  });

  it("an offer or piece that is cut short, too large or of another version", () => {
    const good = encodeOffer(offerOf());
    const offers = [good.subarray(0, 20), Buffer.from(good), Buffer.from(good), Buffer.from(good)];
    offers[1]!.writeUInt8(9, 0);
    offers[2]!.writeBigUInt64BE(BigInt(SNAPSHOT_BYTES_MAX) + 1n, 2);
    offers[3]!.writeBigUInt64BE(0n, 2);
    for (const offer of offers) expect(() => decodeOffer(offer)).toThrow(MessageFormatError);
    expect(decodeOffer(good)).toEqual(offerOf());
    const line = take(staging());
    const large = encodePiece({ offset: 0, bytes: Buffer.alloc(PIECE_BYTES + 1) });
    expect(() => line(FRAME_KINDS.snapshotPiece, large)).toThrow(MessageFormatError);
  });

  it("an acknowledgement of what was not sent, and silence, fail the transfer", async () => {
    const progress = (offset: number) => ({
      kind: FRAME_KINDS.snapshotProgress,
      payload: encodeProgress(sha256Of(content), offset),
    });
    for (const offsets of [[SIZE + 1], [0, SIZE], [2 * PIECE_BYTES, PIECE_BYTES]]) {
      const sender = new SnapshotSender({ send: () => undefined, drained: () => Promise.resolve() });
      const sent = sender.send(offerOf(), sentFile, new AbortController().signal);
      const failed = expect(sent).rejects.toThrow("cannot have");
      for (const offset of offsets) {
        await new Promise((resolve) => setImmediate(resolve));
        sender.take(progress(offset));
      }
      await failed;
    }
    const silent = new SnapshotSender({ send: () => undefined, drained: () => Promise.resolve() }, 10);
    await expect(silent.send(offerOf(), sentFile, new AbortController().signal)).rejects.toThrow("stopped");
  });

  it("a sender sends one at a time, can be stopped, and says when the file is not there", async () => {
    const receiver = staging();
    const line = wire(receiver);
    const stop = new AbortController();
    const first = line.sender.send(offerOf(), sentFile, stop.signal);
    await expect(send(line)).rejects.toThrow("another snapshot is on its way");
    stop.abort();
    await expect(first).rejects.toThrow("not wanted any more");
    await expect(line.sender.send(offerOf(), `${sentFile}.no`, new AbortController().signal)).rejects.toThrow(
      "ENOENT",
    );
    await send(line);
    await expectDelivered();
  });
});

describe("R4 the pace of a snapshot", () => {
  it.each([
    ["grows while acknowledgements are quick", WINDOW_BYTES_MIN, 0, WINDOW_BYTES_MIN + PIECE_BYTES],
    ["up to its limit", WINDOW_BYTES_MAX, PACE_DELAY_MAX_MS, WINDOW_BYTES_MAX],
    ["halves when they are slow", WINDOW_BYTES_MAX, PACE_DELAY_MAX_MS + 1, WINDOW_BYTES_MAX / 2],
    ["down to one piece", WINDOW_BYTES_MIN, 10_000, WINDOW_BYTES_MIN],
  ])("%s", (_name, windowBytes, delayMs, expected) => {
    expect(nextWindowBytes(windowBytes, delayMs)).toBe(expected);
  });

  it("never more than its window is on the way, and to a slow peer one piece at a time", async () => {
    const pieces: number[] = [];
    let acknowledged = 0;
    let largest = 0;
    const sender = new SnapshotSender({
      send: (kind, payload) => {
        const isPiece = kind === FRAME_KINDS.snapshotPiece;
        if (isPiece) pieces.push(Number(Buffer.from(payload).readBigUInt64BE()) + payload.byteLength - 8);
        largest = Math.max(largest, (pieces.at(-1) ?? 0) - acknowledged);
        if (!isPiece) setImmediate(() => sender.take(ack(0)));
      },
      drained: () => Promise.resolve(),
    });
    const ack = (offset: number) => ({
      kind: FRAME_KINDS.snapshotProgress,
      payload: encodeProgress(sha256Of(content), offset),
    });
    const sent = sender.send(offerOf(), sentFile, new AbortController().signal);
    const perAck: number[] = [];
    while (acknowledged < SIZE) {
      await until(() => pieces.length > 0 && pieces.at(-1)! > acknowledged);
      await new Promise((resolve) => setTimeout(resolve, PACE_DELAY_MAX_MS + 10));
      perAck.push(Math.ceil((pieces.at(-1)! - acknowledged) / PIECE_BYTES));
      acknowledged = pieces.at(-1)!;
      sender.take(ack(acknowledged));
    }
    await sent;
    expect(perAck[0]).toBe(4);
    expect(perAck.slice(1)).toEqual([1, 1]);
    expect(largest).toBe(4 * PIECE_BYTES);
  });
});
