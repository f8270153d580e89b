import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entry, Membership, Message } from "../raft/types.ts";
import { encodeFrame, FRAME_BYTES_MAX, FrameError, FrameReader } from "./frame.ts";
import { decodeMessage, encodeMessage, MessageFormatError } from "./message-codec.ts";

const int = fc.maxSafeNat();
const ids = fc
  .uniqueArray(fc.integer({ min: 1, max: 2 ** 40 }), { maxLength: 5 })
  .map((list) => list.toSorted((a, b) => a - b));
const membership: fc.Arbitrary<Membership> = fc.record({ voters: ids, outgoing: ids, learners: ids });
const entry: fc.Arbitrary<Entry> = fc.record({
  index: int,
  term: int,
  kind: fc.constantFrom("command" as const, "noop" as const, "membership" as const),
  data: fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
});
const envelope = { from: int, to: int, term: int };
const of = <T extends Message["type"]>(...types: T[]) => fc.constantFrom(...types);
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: of("pre_vote", "vote"),
    ...envelope,
    lastIndex: int,
    lastTerm: int,
    transfer: fc.boolean(),
  }),
  fc.record({ type: of("pre_vote_reply", "vote_reply"), ...envelope, granted: fc.boolean() }),
  fc.record({
    type: of("append"),
    ...envelope,
    prevIndex: int,
    prevTerm: int,
    commit: int,
    entries: fc.array(entry, { maxLength: 8 }),
  }),
  fc.record({
    type: of("append_reply"),
    ...envelope,
    ok: fc.boolean(),
    matchIndex: int,
    hintIndex: int,
    hintTerm: int,
  }),
  fc.record({ type: of("heartbeat"), ...envelope, commit: int, readContext: int }),
  fc.record({ type: of("heartbeat_reply"), ...envelope, readContext: int, promiseTicks: int }),
  fc.record({ type: of("snapshot"), ...envelope, meta: fc.record({ index: int, term: int, membership }) }),
  fc.record({ type: of("snapshot_reply"), ...envelope, ok: fc.boolean(), matchIndex: int }),
  fc.record({ type: of("timeout_now"), ...envelope }),
);

describe("Raft messages as bytes", () => {
  it("every message comes back as it was", () => {
    fc.assert(
      fc.property(message, (m) => {
        expect(decodeMessage(encodeMessage(m))).toEqual(m);
      }),
    );
  });

  it("R6 an answer that promises nothing is written as builds before promises read it", () => {
    const reply = {
      type: "heartbeat_reply",
      from: 2,
      to: 1,
      term: 3,
      readContext: 4,
      promiseTicks: 0,
    } as const;
    const bytes = encodeMessage(reply);
    // Format, type, then four numbers.
    expect([bytes[0], bytes[1], bytes.byteLength]).toEqual([1, 7, 2 + 4 * 8]);
    const promising = encodeMessage({ ...reply, promiseTicks: 5 });
    expect(promising.byteLength).toBe(bytes.byteLength + 8);
    promising.writeBigInt64BE(0n, promising.byteLength - 8);
    expect(() => decodeMessage(promising)).toThrow("a promise of nothing");
  });

  it("every message cut short, or with a byte more, is refused", () => {
    fc.assert(
      fc.property(message, fc.double({ min: 0, max: 1, noNaN: true }), (m, part) => {
        const bytes = encodeMessage(m);
        const cut = Math.min(bytes.byteLength - 1, Math.floor(bytes.byteLength * part));
        expect(() => decodeMessage(bytes.subarray(0, cut))).toThrow(MessageFormatError);
        expect(() => decodeMessage(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(MessageFormatError);
      }),
    );
  });

  it("garbage is refused or is a message, and never anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(encodeMessage(decodeMessage(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(MessageFormatError);
        }
      }),
    );
  });
});

describe("frames on a stream", () => {
  const frames = fc.array(
    fc.record({ kind: fc.integer({ min: 1, max: 9 }), payload: fc.uint8Array({ maxLength: 500 }) }),
    { maxLength: 10 },
  );

  it("come back however the stream is cut, and what is left over goes back", () => {
    fc.assert(
      fc.property(frames, fc.integer({ min: 1, max: 200 }), (list, step) => {
        const stream = Buffer.concat([
          ...list.map(({ kind, payload }) => encodeFrame(kind, payload)),
          Buffer.from([1, 2]),
        ]);
        const reader = new FrameReader();
        const found = [];
        for (let at = 0; at < stream.byteLength; at += step)
          found.push(...reader.push(stream.subarray(at, at + step)));
        expect(found).toEqual(list.map(({ kind, payload }) => ({ kind, payload: Buffer.from(payload) })));
        expect(reader.rest()).toEqual(Buffer.from([1, 2]));
      }),
    );
  });

  it("a flipped bit and a length that nobody sends are refused", () => {
    const frame = encodeFrame(3, Buffer.from("payload"));
    frame[12] = (frame[12] ?? 0) ^ 1;
    expect(() => new FrameReader().push(frame)).toThrow(FrameError);
    const endless = encodeFrame(3, Buffer.alloc(1));
    endless.writeUInt32BE(FRAME_BYTES_MAX + 1);
    expect(() => new FrameReader().push(endless)).toThrow(FrameError);
  });
});
