import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CoreRequest } from "./http-router.ts";
import { HttpServer } from "./http-server.ts";

const BODY_BYTES_MAX = 1024 * 1024;
let server: HttpServer;
let port = 0;
let held: { request: CoreRequest; release: () => void }[] = [];
let sockets: Socket[] = [];
const counted: [string, string, number][] = [];

beforeEach(async () => {
  held = [];
  sockets = [];
  counted.length = 0;
  server = new HttpServer({
    routes: [
      {
        method: "POST",
        path: "/echo",
        roles: null,
        handle: async ({ body }) => ({
          bytes: await body(BODY_BYTES_MAX),
          contentType: "application/octet-stream",
        }),
      },
      {
        method: "GET",
        path: "/odd",
        roles: null,
        handle: () => ({ bytes: new Uint8Array(1), contentType: "text/\u00e4\r\nx-b: c" }),
      },
      {
        method: "GET",
        path: "/role",
        roles: ["admin", "lambda"],
        handle: ({ role }) => ({ json: role }),
      },
      {
        method: "GET",
        path: "/held/:name",
        roles: null,
        handle: (request) =>
          new Promise((resolve) => {
            const release = (): void => resolve({ json: { name: request.params[0], größe: "ä" } });
            held.push({ request, release });
          }),
      },
    ],
    roleOf: (authorization) => {
      if (authorization === "late") return Promise.resolve("lambda");
      if (authorization === "never") return Promise.reject(new ConfluxError("unauthenticated", "no"));
      return authorization === undefined ? "replica" : "admin";
    },
    nodeId: () => 7,
    leaderId: () => 7,
    proveLeader: () => "",
    urlOf: () => "",
    requests: {
      began: () => 0,
      ended: (method, path, status) => counted.push([method, path, status]),
    },
    onClosing: () => undefined,
    logger: () => undefined,
  });
  port = Number(new URL(await server.listen("127.0.0.1", 0)).port);
});

afterEach(async () => {
  for (const { release } of held) release();
  for (const socket of sockets) socket.destroy();
  await server.close();
});

/** A connection, and all it has received. */
async function open(): Promise<{
  socket: Socket;
  received: () => string;
  until: (text: string) => Promise<void>;
}> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  sockets.push(socket);
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const until = async (wanted: string): Promise<void> => {
    await expect.poll(() => text, { timeout: 10_000 }).toContain(wanted);
  };
  return { socket, received: () => text, until };
}
const echo = (body: string, fields = ""): string =>
  `POST /echo HTTP/1.1\r\nhost: x\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`;
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
const statuses = (text: string): string[] => text.match(/HTTP\/1\.1 \d{3}/g) ?? [];
const heldOnes = (n: number) => expect.poll(() => held.length, { timeout: 10_000 }).toBe(n);

describe("R0 plain requests", () => {
  it("R0 are answered one after the other on a connection that says how long it is kept", async () => {
    const { socket, received, until } = await open();
    for (const body of ["one", "two", ""]) {
      socket.write(echo(body));
      await until(`\r\n\r\n${body}`);
    }
    await expect.poll(() => statuses(received())).toEqual(Array(3).fill("HTTP/1.1 200"));
    expect(received()).toContain("keep-alive: timeout=65\r\n");
    expect(received()).toMatch(/\r\ndate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n/);
    expect(counted).toEqual(Array.from({ length: 3 }, () => ["POST", "/echo", 200]));
  });

  it("R0 carry bytes and text past ASCII unharmed, and refusals with their status", async () => {
    const { socket, received, until } = await open();
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString("latin1");
    socket.write(echo(bytes), "latin1");
    await until(bytes);
    socket.write(get("/held/a"));
    await heldOnes(1);
    held[0]!.release();
    await until(Buffer.from('"größe":"ä"').toString("latin1"));
    socket.write(get("/nowhere"));
    await until("not_found");
    socket.write(
      echo("x".repeat(10))
        .replace("POST", "GET")
        .replace(/content-length.*\r\n\r\n.*/s, "\r\n"),
    );
    await until("method_not_allowed");
    expect(statuses(received())).toEqual(["200", "200", "404", "405"].map((s) => `HTTP/1.1 ${s}`));
  });

  it("R0 that come before the answer to the one before are answered in order", async () => {
    const { socket, received, until } = await open();
    socket.write(get("/held/first"));
    await heldOnes(1);
    socket.write(echo("second"));
    socket.write(echo("third"));
    // Both must have arrived: a second connection is answered after them.
    const other = await open();
    other.socket.write(echo("other"));
    await other.until("other");
    held[0]!.release();
    await until("third");
    expect(received().indexOf("first")).toBeLessThan(received().indexOf("second"));
    expect(statuses(received())).toHaveLength(3);
  });

  it("R0 are answered by the role of each, on one connection", async () => {
    const { socket, received, until } = await open();
    const asked: [string, string][] = [
      ["authorization: now\r\n", '"admin"'],
      ["authorization: late\r\n", '"lambda"'],
      ["authorization: never\r\n", '"unauthenticated"'],
      ["", '"forbidden"'],
      ["authorization: now\r\n", '"admin"'],
    ];
    for (const [i, [fields, answer]] of asked.entries()) {
      socket.write(`GET /role HTTP/1.1\r\nhost: x\r\n${fields}\r\n`);
      await expect.poll(() => statuses(received()), { timeout: 10_000 }).toHaveLength(i + 1);
      await until(answer);
    }
    expect(statuses(received())).toEqual([200, 200, 401, 403, 200].map((code) => `HTTP/1.1 ${code}`));
  });

  it("R0 whose answer has a field that no head can have are answered 500, and the connection goes on", async () => {
    const { socket, received, until } = await open();
    for (const _ of [1, 2]) socket.write(get("/odd"));
    socket.write(echo("after"));
    await until("after");
    expect(statuses(received())).toEqual([500, 500, 200].map((code) => `HTTP/1.1 ${code}`));
    expect(received()).not.toContain("x-b");
  });

  it("R0 tell who waits when the client has gone", async () => {
    const { socket } = await open();
    socket.write(get("/held/a"));
    await heldOnes(1);
    const { signal } = held[0]!.request;
    expect(signal.aborted).toBe(false);
    socket.destroy();
    await once(signal, "abort");
  });

  it("R0 are told that the connection ends when the server stops; idle connections end", async () => {
    const { socket, until } = await open();
    const idle = await open();
    idle.socket.write(echo("done"));
    await idle.until("done");
    socket.write(get("/held/last"));
    await heldOnes(1);
    const closed = server.close();
    held[0]!.release();
    await until("connection: close\r\n");
    if (!socket.closed) await once(socket, "close");
    if (!idle.socket.closed) await once(idle.socket, "close");
    await closed;
  });
});

describe("R0 everything else goes to node:http, connection and all", () => {
  it.each([
    [
      "a chunked body",
      "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nwhole\r\n0\r\n\r\n",
      "400",
    ],
    [
      "a chunked body",
      "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n",
      "200",
    ],
    ["an expectation", echo("whole", "expect: 100-continue\r\n"), "100"],
    ["a connection that ends", echo("whole", "connection: close\r\n"), "200"],
    ["both framings", echo("whole", "transfer-encoding: chunked\r\n"), "400"],
    ["two lengths", echo("whole", "content-length: 3\r\n"), "400"],
    ["no host", "GET /held/a HTTP/1.1\r\n\r\n", "400"],
    ["what is no HTTP", "hello\r\n\r\n", "400"],
  ])("R0 %s", async (_what, bytes, status) => {
    const { socket, until, received } = await open();
    socket.write(echo("before"));
    await until("before");
    socket.write(bytes);
    await until(`HTTP/1.1 ${status}`);
    if (status !== "400") await until("whole");
    expect(received().split("before")).toHaveLength(2);
  });

  it("R0 a request in pieces, one larger than a read, and those after it", async () => {
    const { socket, until, received } = await open();
    const bytes = echo("in pieces");
    socket.write(bytes.slice(0, 20));
    const other = await open();
    other.socket.write(echo("other"));
    await other.until("other");
    socket.write(bytes.slice(20));
    await until("in pieces");
    socket.write(echo(`${"x".repeat(300_000)}end`));
    await until("xend");
    socket.write(echo("after"));
    await until("after");
    expect(statuses(received())).toEqual(Array(3).fill("HTTP/1.1 200"));
  });

  it("R0 two requests in one piece are both answered", async () => {
    const { socket, until, received } = await open();
    socket.write(echo("first") + echo("second"));
    await until("second");
    expect(statuses(received())).toHaveLength(2);
  });

  it("R0 HEAD is answered without a body", async () => {
    const { socket, until, received } = await open();
    socket.write("HEAD /nowhere HTTP/1.1\r\nhost: x\r\n\r\n");
    await until("404");
    socket.write(echo("next"));
    await until("next");
    expect(received()).not.toContain("not_found");
  });
});
