// Over 400 lines: every way for two ends to misunderstand each other, over one set of certificates and sockets.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect as connectPlain, createServer as createPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { makePeerCa, makePeerCertificate, type PemPair } from "../../test/testing/peer-certificates.ts";
import type { Message } from "../raft/types.ts";
import { encodeFrame, type Frame, FRAME_KINDS, FrameReader } from "./frame.ts";
import { createMemoryNetwork } from "./memory-network.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { REDIAL_REMOVED_MS } from "./peer-dialer.ts";
import { TlsTransport } from "./tls-transport.ts";
import type { Transport } from "./transport.ts";

let directory: string;
let ca: PemPair;
let otherCa: PemPair;
const certificates = new Map<number, PemPair>();
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "conflux-transport-"));
  [ca, otherCa] = [await makePeerCa("c1"), await makePeerCa("c1")];
  for (const nodeId of [1, 2, 3])
    certificates.set(nodeId, await makePeerCertificate(ca, { clusterId: "c1", nodeId }));
});
afterAll(() => rmSync(directory, { recursive: true }));

const open: TlsTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.close()));
});

async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 5));
}

interface Node {
  transport: TlsTransport;
  port: number;
  lines: { msg: string; reason?: unknown }[];
}
async function node(
  nodeId: number,
  options: {
    pair?: PemPair;
    trust?: PemPair;
    clusterId?: string;
    lower?: Node & { nodeId: number };
    onRemoved?: () => void;
  } = {},
): Promise<Node & { nodeId: number }> {
  const lines: Node["lines"] = [];
  const pair = options.pair ?? certificates.get(nodeId)!;
  const transport = new TlsTransport({
    clusterId: options.clusterId ?? "c1",
    nodeId,
    credentials: { ca: (options.trust ?? ca).cert, ...pair },
    peers: [1, 2, 3]
      .filter((id) => id > nodeId || id === options.lower?.nodeId)
      .map((id) => ({ nodeId: id, host: "127.0.0.1", port: options.lower?.port ?? 1 })),
    host: "127.0.0.1",
    port: 0,
    stagingDirectory: join(directory, `staging-${nodeId}`),
    snapshotFormats: [1],
    ...(options.onRemoved === undefined ? {} : { onRemoved: options.onRemoved }),
    log: (line) => lines.push(line),
  });
  open.push(transport);
  return { transport, port: await transport.listen(), lines, nodeId };
}
const heartbeat = (from: number, to: number, term: number): Message => ({
  type: "heartbeat",
  from,
  to,
  term,
  commit: 1,
  readContext: 0,
});
const snapshot = (from: number, to: number) => ({
  type: "snapshot" as const,
  from,
  to,
  term: 3,
  meta: { index: 9, term: 2, membership: { voters: [1, 2], outgoing: [], learners: [] } },
});

const transfer = () => ({ copy: {}, format: 1, signal: new AbortController().signal });

const KINDS: [string, () => Promise<[Transport, Transport]>][] = [
  [
    "in memory",
    async () => {
      const network = createMemoryNetwork();
      return [network.transport(1), network.transport(2)];
    },
  ],
  [
    "R8 over mutual TLS",
    async () => {
      const one = await node(1);
      const two = await node(2, { lower: one });
      await until(() => one.transport.connected().length === 1 && two.transport.connected().length === 1);
      return [one.transport, two.transport];
    },
  ],
];

describe.each(KINDS)("a transport %s", (_name, connectPair) => {
  it("delivers in order, both ways, never from within send", async () => {
    const [one, two] = await connectPair();
    const seen: { at: number; term: number }[] = [];
    one.onMessage((message) => seen.push({ at: 1, term: message.term }));
    two.onMessage((message) => seen.push({ at: 2, term: message.term }));
    const terms = Array.from({ length: 100 }, (_, i) => i + 1);
    one.send(terms.map((term) => heartbeat(1, 2, term)));
    two.send(terms.map((term) => heartbeat(2, 1, term)));
    expect(seen).toEqual([]);
    await until(() => seen.length === 200);
    for (const at of [1, 2]) expect(seen.filter((s) => s.at === at).map((s) => s.term)).toEqual(terms);
  });

  it("carries a message of the largest command", async () => {
    const [one, two] = await connectPair();
    const data = new Uint8Array(16 * 1024 * 1024).fill(7);
    const received = new Promise<Message>((resolve) => two.onMessage(resolve));
    const append: Message = {
      type: "append",
      from: 1,
      to: 2,
      term: 1,
      prevIndex: 0,
      prevTerm: 0,
      commit: 0,
      entries: [{ index: 1, term: 1, kind: "command", data }],
    };
    one.send([append]);
    const message = await received;
    expect(message.type === "append" && Buffer.from(message.entries[0]!.data).equals(data)).toBe(true);
  });

  it("carries a snapshot with its file, which the receiver owns", async () => {
    const [one, two] = await connectPair();
    const path = join(directory, "state.db");
    const bytes = Buffer.alloc(1_500_000, "snapshot of the state ");
    writeFileSync(path, bytes);
    const received = new Promise<{ message: Message; file: string | undefined }>((resolve) =>
      two.onMessage((message, file) => resolve({ message, file })),
    );
    await one.sendSnapshot(snapshot(1, 2), path, transfer());
    const { message, file } = await received;
    expect(message).toEqual(snapshot(1, 2));
    expect(readFileSync(file ?? "").equals(bytes)).toBe(true);
    expect(file).not.toBe(path);
    rmSync(file ?? "");
  });

  it("a snapshot for nobody is refused, messages for nobody are lost", async () => {
    const [one] = await connectPair();
    one.send([heartbeat(1, 3, 1)]);
    const path = join(directory, "state.db");
    await expect(one.sendSnapshot(snapshot(1, 3), path, transfer())).rejects.toThrow();
  });
});

describe("R4 a snapshot whose file could not be read", () => {
  it("is read anew at the next attempt with the same copy", async () => {
    const one = await node(1);
    const two = await node(2, { lower: one });
    await until(() => one.transport.connected().length === 1 && two.transport.connected().length === 1);
    const received: Message[] = [];
    two.transport.onMessage((message, file) => {
      received.push(message);
      rmSync(file ?? "");
    });
    const path = join(directory, "away.db");
    const { copy, format, signal } = transfer();
    const send = () => one.transport.sendSnapshot(snapshot(1, 2), path, { copy, format, signal });
    await expect(send()).rejects.toMatchObject({ code: "ENOENT" });
    writeFileSync(path, "a copy of the state");
    await send();
    await until(() => received.length === 1);
  });
});

describe("R8 who is let in", () => {
  it("a stream that ends comes up again, and the loss is reported", async () => {
    const one = await node(1);
    const two = await node(2, { lower: one });
    await until(() => one.transport.connected().includes(2));
    const lost = new Promise<number>((resolve) => one.transport.onUnreachable(resolve));
    await two.transport.close();
    expect(await lost).toBe(2);
    const again = await node(2, { lower: one });
    await until(() => one.transport.connected().includes(2) && again.transport.connected().includes(1));
  });

  it("a certificate of another CA is refused, by whoever is asked to trust it", async () => {
    const one = await node(1);
    const foreign = await makePeerCertificate(otherCa, { clusterId: "c1", nodeId: 2 });
    await node(2, { lower: one, pair: foreign });
    await until(() => one.lines.some(({ msg }) => msg === "a stranger was refused by TLS"));
    const trusting = await node(3, { lower: one, trust: otherCa });
    await until(() => trusting.lines.some(({ msg }) => msg === "a peer cannot be dialled"));
    expect(one.transport.connected()).toEqual([]);
  });

  it("another node's certificate, or another cluster's, is refused", async () => {
    const one = await node(1);
    const asTwo = await node(3, { lower: one, pair: certificates.get(2)! });
    await until(() => one.lines.some(({ reason }) => String(reason).includes("claims to be another")));
    const elsewhere = await makePeerCertificate(ca, { clusterId: "c2", nodeId: 2 });
    await node(2, { lower: one, pair: elsewhere });
    await until(() => one.lines.some(({ reason }) => String(reason).includes("conflux://c2/node/2")));
    expect(one.transport.connected()).toEqual([]);
    expect(asTwo.transport.connected()).toEqual([]);
  });

  it("the dialling side refuses whoever answers in the place of its peer", async () => {
    const impostor = await node(1, { pair: certificates.get(3)! });
    const two = await node(2, { lower: impostor });
    await until(() => two.lines.some(({ reason }) => String(reason).includes("conflux://c1/node/3")));
    expect(two.transport.connected()).toEqual([]);
  });

  it("a caller without a certificate, and plain text, get nothing", async () => {
    const one = await node(1);
    const bare = connect({
      host: "127.0.0.1",
      port: one.port,
      ca: ca.cert,
      checkServerIdentity: () => undefined,
    });
    bare.on("error", () => undefined);
    await new Promise((resolve) => bare.on("close", resolve));
    const plain = connectPlain(one.port, "127.0.0.1");
    plain.on("error", () => undefined);
    plain.write("GET / HTTP/1.1\r\n\r\n");
    await new Promise((resolve) => plain.on("close", resolve));
    expect(one.transport.connected()).toEqual([]);
    expect(one.lines.filter(({ msg }) => msg === "a stranger was refused by TLS")).toHaveLength(2);
  });
});

describe("R8 what a peer may say", () => {
  /** A peer with node 2's certificate that says what it likes after its introduction. */
  async function speak(to: Node, ...frames: Buffer[]): Promise<string> {
    return speakAfter(to, {}, ...frames);
  }
  /** With something else in its introduction, too. */
  async function speakAfter(to: Node, said: Record<string, unknown>, ...frames: Buffer[]): Promise<string> {
    const socket = connect({
      ...certificates.get(2)!,
      ca: ca.cert,
      host: "127.0.0.1",
      port: to.port,
      checkServerIdentity: () => undefined,
    });
    socket.on("error", () => undefined);
    const hello = JSON.stringify({ protocol: 1, cluster_id: "c1", node_id: 2, ...said });
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.write(Buffer.concat([encodeFrame(FRAME_KINDS.hello, Buffer.from(hello)), ...frames]));
    socket.resume();
    await closed;
    // What comes with the introduction may be found wrong before the stream is up.
    const ends = ["the stream to a peer ended", "a peer was refused"];
    return String(to.lines.find(({ msg }) => ends.includes(msg))?.reason);
  }
  it.each([
    { build: "that takes promises", takes: [FRAME_KINDS.promise], told: 7 },
    { build: "from before promises", takes: [], told: 0 },
  ])("R6 a promise is told to a build $build as it can read it", async ({ takes, told }) => {
    const one = await node(1);
    const socket = connect({
      ...certificates.get(2)!,
      ca: ca.cert,
      host: "127.0.0.1",
      port: one.port,
      checkServerIdentity: () => undefined,
    });
    const hello = JSON.stringify({ protocol: 1, cluster_id: "c1", node_id: 2, takes });
    socket.write(encodeFrame(FRAME_KINDS.hello, Buffer.from(hello)));
    const reader = new FrameReader();
    const frames: Frame[] = [];
    socket.on("data", (chunk: Buffer) => frames.push(...reader.push(chunk)));
    await until(() => one.transport.connected().includes(2));
    const reply = {
      type: "heartbeat_reply",
      from: 1,
      to: 2,
      term: 1,
      readContext: 1,
      promiseTicks: 7,
    } as const;
    one.transport.send([reply]);
    const isSpoken = ({ kind }: Frame): boolean =>
      kind === FRAME_KINDS.message || kind === FRAME_KINDS.promise;
    await until(() => frames.some(isSpoken));
    const spoken = frames.find(isSpoken)!;
    expect(spoken.kind).toBe(takes.length > 0 ? FRAME_KINDS.promise : FRAME_KINDS.message);
    expect(decodeMessage(spoken.payload)).toEqual({ ...reply, promiseTicks: told });
    socket.destroy();
  });

  const frame = (message: Message): Buffer => encodeFrame(FRAME_KINDS.message, encodeMessage(message));

  it.each<[string, unknown]>([
    ["no list", "1,2"],
    ["a list of words", ["message"]],
    ["a list of fractions", [1.5]],
    ["null", null],
    ["an object", { length: 0 }],
    ["too long a list", Array.from({ length: 256 }, (_, kind) => kind)],
  ])("an introduction whose kinds of frame are %s is refused", async (_name, takes) => {
    const one = await node(1);
    expect(await speakAfter(one, { takes })).toContain("lists no kinds of frame");
    expect(one.transport.connected()).toEqual([]);
  });

  it("one without such a list is of the first build, and is taken", async () => {
    const one = await node(1);
    expect(await speakAfter(one, { takes: undefined }, encodeFrame(99, Buffer.alloc(0)))).toContain(
      "kind 99",
    );
  });

  it("an introduction of another protocol, or in another's name, is refused", async () => {
    const one = await node(1);
    expect(await speakAfter(one, { protocol: 2 })).toContain("speaks protocol 2");
    one.lines.length = 0;
    expect(await speakAfter(one, { node_id: 3 })).toContain("claims to be another");
  });

  it("a message in another's name, garbage, a damaged frame end the stream with a line in the log", async () => {
    const one = await node(1);
    const seen: Message[] = [];
    one.transport.onMessage((message) => seen.push(message));
    expect(await speak(one, frame(heartbeat(2, 1, 1)), frame(heartbeat(3, 1, 1)))).toContain("from 3 to 1");
    expect(seen).toEqual([heartbeat(2, 1, 1)]);
    for (const [frames, reason] of [
      [encodeFrame(FRAME_KINDS.message, Buffer.from("garbage")), "message format"],
      [Buffer.concat([frame(heartbeat(2, 1, 1)).subarray(0, 20), Buffer.alloc(60, 1)]), "checksum"],
      [encodeFrame(FRAME_KINDS.message, encodeMessage(snapshot(2, 1))), "without its bytes"],
      [encodeFrame(99, Buffer.alloc(0)), "kind 99"],
      [encodeFrame(FRAME_KINDS.snapshotPiece, Buffer.alloc(9)), "nobody offered"],
      [encodeFrame(FRAME_KINDS.snapshotOffer, Buffer.alloc(9)), "cut short"],
      [encodeFrame(FRAME_KINDS.snapshotProgress, Buffer.alloc(9)), "another length"],
    ] as const) {
      one.lines.length = 0;
      expect(await speak(one, frames)).toContain(reason);
    }
  });
});

describe("R5 a look at who answers at an address", () => {
  const PROBE_MS = 2_000;
  const at = (nodeId: number, port: number) => ({ nodeId, host: "127.0.0.1", port });
  /** What `from` finds where node 2 is said to be. */
  const find = (from: Node, port: number, timeoutMs = PROBE_MS): Promise<string> =>
    from.transport.probe(at(2, port), timeoutMs).then(
      () => "node 2",
      (error: unknown) => (error as Error).message,
    );

  it("finds the node, and is no peer to it, nor trouble in its log", async () => {
    const one = await node(1);
    const two = await node(2);
    expect(await find(one, two.port)).toBe("node 2");
    // From the higher id too, as the leader may be.
    expect(await (await node(3)).transport.probe(at(1, one.port), PROBE_MS)).toBeUndefined();
    // What is said afterwards comes after it in the log.
    await node(3, { lower: two });
    await until(() => two.lines.length > 0);
    expect(two.lines.map(({ msg }) => msg)).toEqual(["the stream to a peer is up"]);
    expect(one.lines).toEqual([]);
  });

  it("finds another node by its certificate, and whoever is of another CA", async () => {
    const one = await node(1);
    const three = await node(3);
    expect(await find(one, three.port)).toContain("conflux://c1/node/3");
    const foreign = await makePeerCertificate(otherCa, { clusterId: "c1", nodeId: 2 });
    const stranger = await node(2, { pair: foreign });
    expect(await find(one, stranger.port)).toBe(
      "the certificate there is of another authority than this cluster's",
    );
    // What OpenSSL says of it is for the log.
    expect(one.lines.at(-1)).toMatchObject({
      msg: "a node was not found at its address",
      peer: 2,
      reason: expect.stringMatching(/certificate|signature/) as string,
    });
  });

  it("finds that nobody listens, that it is no TLS, that nothing answers in time", async () => {
    const one = await node(1);
    const gone = await node(2);
    await gone.transport.close();
    expect(await find(one, gone.port)).toBe("nobody listens there");
    expect(one.lines.at(-1)?.reason).toContain("ECONNREFUSED");
    const servers = ["HTTP/1.1 400 Bad Request\r\n\r\n", null].map((says) =>
      createPlain((socket) => {
        socket.on("error", () => undefined).resume();
        if (says !== null) socket.end(says);
      }),
    );
    for (const server of servers)
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const [plain = 0, silent = 0] = servers.map((server) => (server.address() as AddressInfo).port);
    expect(await find(one, plain)).toMatch(
      /^(?:whoever listens there does not speak TLS 1\.3|the peer hung up)$/,
    );
    expect(await find(one, silent, 50)).toBe("the peer does not answer");
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
  });
});

describe("R5 peers that come and go", () => {
  const at = (nodeId: number, port: number) => ({ nodeId, host: "127.0.0.1", port });
  const strict = { welcomesAll: false };

  it("one that is a peer no more loses its stream, is not dialled and not let in; one that is again is", async () => {
    const one = await node(1);
    const two = await node(2, { lower: one });
    await until(() => one.transport.connected().includes(2));
    one.transport.setPeers([at(3, 1)], strict);
    expect(one.transport.connected()).toEqual([]);
    await until(() => one.lines.some(({ reason }) => reason === "it is no member any more"));
    // It goes on dialling, and is refused.
    await until(() => one.lines.some(({ reason }) => String(reason).includes("not a peer that dials")));
    two.transport.setPeers([], strict);
    one.transport.setPeers([at(2, 1)], strict);
    two.transport.setPeers([at(1, one.port)], strict);
    await until(() => one.transport.connected().includes(2) && two.transport.connected().includes(1));
  });

  it("one that was removed is told so, waits long before it dials again, and is told of once", async () => {
    const one = await node(1);
    let told = 0;
    const two = await node(2, { lower: one, onRemoved: () => (told += 1) });
    await until(() => one.transport.connected().includes(2));
    one.transport.setPeers([at(3, 1)], { welcomesAll: false, removed: new Set([2]) });
    await until(() => told === 1);
    const refusals = () => one.lines.filter(({ msg }) => msg === "a peer was refused");
    const reason = "node 2 was removed and still runs: stop it and remove its data";
    expect(refusals()).toMatchObject([{ reason }]);
    // A start of its process dials at once, and is told of no more.
    two.transport.dial(at(1, one.port));
    await until(() => told === 2);
    expect(refusals()).toHaveLength(1);
    // It is no trouble in its own log: whoever is told of it says what to do.
    expect(two.lines.map(({ msg }) => msg)).not.toContain("a peer cannot be dialled");
    expect(REDIAL_REMOVED_MS).toBeGreaterThanOrEqual(60_000);
  });

  it("one that has moved is dialled where it is now, and the same again changes nothing", async () => {
    const gone = await node(1);
    const two = await node(2, { lower: gone });
    await until(() => two.transport.connected().includes(1));
    const moved = await node(1);
    two.transport.setPeers([at(1, moved.port)], strict);
    await until(() => moved.transport.connected().includes(2));
    const up = (): number => two.lines.filter(({ msg }) => msg === "the stream to a peer is up").length;
    await until(() => up() === 2);
    two.transport.setPeers([at(1, moved.port)], strict);
    await two.transport.probe(at(1, moved.port), 2_000);
    expect([up(), two.transport.connected()]).toEqual([2, [1]]);
  });

  it("a node that knows no better lets whoever has a certificate in, and only those with a higher id", async () => {
    const two = await node(2);
    two.transport.setPeers([], { welcomesAll: true });
    await node(3, { lower: two });
    await until(() => two.transport.connected().includes(3));
    const one = await node(1);
    // From below: that is not how it is dialled.
    one.transport.dial(at(2, two.port));
    await until(() => two.lines.some(({ reason }) => reason === "node 1 is not a peer that dials this node"));
  });
});
