import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { InfoReceiver } from "../transport/info-channel.ts";
import { PeerExchange } from "./exchange-peer-info.ts";
import { decodePeerInfo, encodePeerInfo, PEER_INFO_BYTES_MAX, type PeerInfo } from "./peer-info.ts";
import { type PeerAbilities, PeerKnowledge } from "./peer-knowledge.ts";

const directory = mkdtempSync(join(tmpdir(), "conflux-peers-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const able = (build: string, ...commandKinds: string[]): PeerAbilities => ({
  build,
  commandKinds,
  snapshotFormats: [1],
});
const info = (changes: Partial<PeerInfo> = {}): Omit<PeerInfo, "format"> => ({
  build: "1",
  wall_ms: 1,
  sent_ms: 2,
  echo: null,
  command_kinds: ["a"],
  snapshot_formats: [1],
  ...changes,
});

/** Two members whose words take `delayMs` of a time that the test moves. */
function pair(delays: { there: number; back: number }, offsetMs: number) {
  let nowMs = 1000;
  const receivers = new Map<number, InfoReceiver>();
  const underway: { atMs: number; from: number; to: number; payload: Uint8Array }[] = [];
  const member = (id: number, wallOffsetMs: number, startedMs: number) => {
    const elapsedMs = (): number => nowMs - startedMs;
    const knowledge = new PeerKnowledge({ nowMs: elapsedMs });
    const exchange = new PeerExchange({
      channel: {
        sendInfo: (to, payload) => {
          underway.push({ atMs: nowMs + (id === 1 ? delays.there : delays.back), from: id, to, payload });
        },
        onInfo: (receive) => {
          if (receive !== null) receivers.set(id, receive);
        },
        connected: () => [3 - id],
      },
      own: able(`build ${id}`, "x"),
      knowledge,
      wallMs: () => nowMs + wallOffsetMs,
      elapsedMs,
    });
    return { exchange, knowledge };
  };
  const one = member(1, 0, 0);
  const two = member(2, offsetMs, 900);
  const run = (): void => {
    for (let step = underway.shift(); step !== undefined; step = underway.shift()) {
      nowMs = Math.max(nowMs, step.atMs);
      receivers.get(step.to)?.onInfo(step.from, step.payload);
    }
  };
  return { one, two, run, receivers, underway };
}

describe("R9 what members tell of their clocks", () => {
  it("each knows how the other's stands, within half the round trip, from the first words on", () => {
    const { one, two, run } = pair({ there: 10, back: 30 }, 3_600_000);
    one.exchange.start();
    two.exchange.start();
    run();
    const [ofTwo] = one.knowledge.clocks();
    const [ofOne] = two.knowledge.clocks();
    expect(ofTwo?.uncertaintyMs).toBeLessThanOrEqual(20);
    expect(Math.abs(ofTwo!.offsetMs - 3_600_000)).toBeLessThanOrEqual(ofTwo!.uncertaintyMs);
    expect(Math.abs(ofOne!.offsetMs + 3_600_000)).toBeLessThanOrEqual(ofOne!.uncertaintyMs);
    expect(one.knowledge.abilitiesOf(2)).toEqual(able("build 2", "x"));
    one.exchange.stop();
    two.exchange.stop();
  });

  it("an echo from before a restart says nothing of the clock", () => {
    const { one, receivers } = pair({ there: 1, back: 1 }, 0);
    one.exchange.start();
    const payload = encodePeerInfo(info({ echo: { sent_ms: 99_999, held_ms: 1 } }));
    receivers.get(1)?.onInfo(2, payload);
    expect(one.knowledge.clocks()).toEqual([]);
    expect(one.knowledge.abilitiesOf(2)?.build).toBe("1");
    one.exchange.stop();
  });
});

describe("R5 a member that is fenced", () => {
  it("tells the others so at once and from then on, and nobody takes the rest for fenced", () => {
    const { one, two, run, underway } = pair({ there: 1, back: 1 }, 0);
    one.exchange.start();
    two.exchange.start();
    run();
    expect([1, 2].map((id) => one.knowledge.isFenced(id))).toEqual([false, false]);
    two.exchange.sayFenced();
    expect(underway).toHaveLength(1);
    run();
    expect([one.knowledge.isFenced(2), two.knowledge.isFenced(1)]).toEqual([true, false]);
    one.exchange.stop();
    two.exchange.stop();
  });

  it("is one as long as its newest word says so; a build that knows no fence says nothing of it", () => {
    const { one, receivers } = pair({ there: 1, back: 1 }, 0);
    one.exchange.start();
    const hear = (changes: Partial<PeerInfo>): boolean => {
      receivers.get(1)?.onInfo(2, encodePeerInfo(info(changes)));
      return one.knowledge.isFenced(2);
    };
    expect([hear({ fenced: true }), hear({ fenced: true }), hear({})]).toEqual([true, true, false]);
    const wrong = Buffer.from(JSON.stringify({ format: 1, ...info(), fenced: "no" }));
    expect(() => decodePeerInfo(wrong)).toThrow("/fenced");
    one.exchange.stop();
  });
});

describe("R14 a word of a member", () => {
  it("is read back as it was written, with what a later build adds left out", () => {
    expect(decodePeerInfo(encodePeerInfo(info()))).toEqual({ format: 1, ...info() });
    const later = Buffer.from(JSON.stringify({ format: 1, ...info(), more: true }));
    expect(decodePeerInfo(later)).toEqual({ format: 1, ...info() });
  });

  it.each<[string, Uint8Array, string]>([
    ["no JSON", Buffer.from("{"), "no JSON"],
    ["another format", Buffer.from(JSON.stringify({ ...info(), format: 2 })), "/format"],
    ["a clock that is none", encodePeerInfo(info({ wall_ms: -1 })), "/wall_ms"],
    [
      "too many kinds",
      encodePeerInfo(info({ command_kinds: Array.from({ length: 257 }, () => "k") })),
      "/command_kinds",
    ],
    [
      "a format of snapshots that is none",
      encodePeerInfo(info({ snapshot_formats: [1.5] })),
      "/snapshot_formats/0",
    ],
    ["too many bytes", Buffer.alloc(PEER_INFO_BYTES_MAX + 1), "at most"],
  ])("that is %s is refused", (_name, payload, reason) => {
    expect(() => decodePeerInfo(payload)).toThrow(reason);
  });
});

describe("R14 what is known of members", () => {
  const path = join(directory, "peers.json");
  const told = (build: string, ...kinds: string[]): PeerInfo => ({
    format: 1,
    ...info({ build, command_kinds: kinds }),
  });

  it("outlives this node's restart; the newest word counts, of an older build too", () => {
    const before = new PeerKnowledge({ path });
    before.noteInfo(2, told("2.0", "a", "b"));
    before.noteInfo(3, told("2.0", "a", "b"));
    before.noteInfo(2, told("1.0", "a"));
    const after = new PeerKnowledge({ path });
    expect(after.abilitiesOf(2)).toEqual(able("1.0", "a"));
    expect(after.abilitiesOf(3)).toEqual(able("2.0", "a", "b"));
    expect(after.abilitiesOf(4)).toBeNull();
    expect(after.clocks()).toEqual([]);
  });

  it("is written only when it is news", () => {
    const known = new PeerKnowledge({ path });
    writeFileSync(path, "other");
    known.noteInfo(2, told("1.0", "a"));
    expect(readFileSync(path, "utf8")).toBe("other");
  });

  it.each(["", "{", `{"version":2,"members":{}}`, `{"version":1,"members":{"2":{}}}`])(
    "begins empty when the file holds %s",
    (text) => {
      writeFileSync(path, text);
      expect(new PeerKnowledge({ path }).abilitiesOf(2)).toBeNull();
    },
  );
});
