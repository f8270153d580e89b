import { describe, expect, it } from "vitest";
import { readWholeRequest, type WholeRequest } from "./http-whole-request.ts";

const post = (fields: string, body = "abc", line = "POST /v1/propose?a=1 HTTP/1.1"): Buffer =>
  Buffer.from(`${line}\r\nhost: x\r\n${fields}\r\n${body}`, "latin1");

/** On a connection of its own. */
const readOne = (bytes: Buffer): WholeRequest | null => readWholeRequest(bytes, { text: "", headers: {} });

describe("R0 a request that came whole", () => {
  it("R0 is taken apart when it is plain", () => {
    const read = readOne(post("Content-Length: 3\r\nX-Trace:  \r\nConnection: Keep-Alive\r\n"));
    expect(read).toBeNull();
    const plain = readOne(post("Content-Length: 3\r\nX-Empty:\r\nConnection: Keep-Alive\r\n"));
    expect(plain).toMatchObject({
      method: "POST",
      target: "/v1/propose?a=1",
      headers: { host: "x", "content-length": "3", "x-empty": "", connection: "Keep-Alive" },
    });
    expect(Buffer.from(plain!.body).toString()).toBe("abc");
    const get = readOne(Buffer.from("GET /healthz HTTP/1.1\r\nHost: y\r\nAccept: a b, c\r\n\r\n"));
    expect(get).toMatchObject({ method: "GET", target: "/healthz", headers: { accept: "a b, c" } });
    expect(get!.body.byteLength).toBe(0);
  });

  it.each([
    ["a head that is not all there", Buffer.from("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n")],
    ["a body that is not all there", post("content-length: 4\r\n")],
    ["more than one request", post("content-length: 2\r\n")],
    ["no length", post("")],
    ["a length that is no plain number", post("content-length: +3\r\n")],
    ["a length with zeros before it", post("content-length: 03\r\n")],
    ["two lengths", post("content-length: 3\r\nContent-Length: 3\r\n")],
    ["a list of lengths", post("content-length: 3, 3\r\n")],
    ["a chunked body", post("transfer-encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")],
    ["both framings", post("content-length: 3\r\ntransfer-encoding: chunked\r\n")],
    ["a space before the colon", post("content-length : 3\r\n")],
    ["a folded line", post("content-length: 3\r\nx-a: b\r\n c\r\n")],
    ["a bare line feed", post("content-length: 3\nx-a: b\r\n")],
    ["a bare carriage return", post("content-length: 3\r\nx-a: b\rc\r\n")],
    ["a zero byte", post("content-length: 3\r\nx-a: b\0c\r\n")],
    ["a byte past ASCII", post("content-length: 3\r\nx-a: \u00e9\r\n")],
    ["a name that is none", post("content-length: 3\r\n__proto__: b\r\n")],
    ["a field twice", post("content-length: 3\r\nAuthorization: a\r\nauthorization: b\r\n")],
    ["two hosts", post("content-length: 3\r\nHost: y\r\n")],
    ["no host", Buffer.from("GET / HTTP/1.1\r\naccept: x\r\n\r\n")],
    ["an expectation", post("content-length: 3\r\nexpect: 100-continue\r\n")],
    ["an upgrade", post("content-length: 3\r\nconnection: upgrade\r\nupgrade: websocket\r\n")],
    ["a connection that ends", post("content-length: 3\r\nconnection: close\r\n")],
    ["another method", post("content-length: 3\r\n", "abc", "PUT / HTTP/1.1")],
    ["HEAD", Buffer.from("HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")],
    ["an absolute target", post("content-length: 3\r\n", "abc", "POST http://x/ HTTP/1.1")],
    ["a target with a space", post("content-length: 3\r\n", "abc", "POST /a b HTTP/1.1")],
    ["an older version", post("content-length: 3\r\n", "abc", "POST / HTTP/1.0")],
    ["an empty line before it", Buffer.from("\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n")],
    ["GET with a body", Buffer.from("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")],
    ["too large a head", post(`content-length: 3\r\nx-a: ${"b".repeat(5_000)}\r\n`)],
    [
      "too many fields",
      post(`content-length: 3\r\n${Array.from({ length: 40 }, (_, i) => `x-${i}: a\r\n`).join("")}`),
    ],
    ["TLS", Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])],
  ])("R0 is left to node:http: %s", (_what, bytes) => {
    expect(readOne(bytes)).toBeNull();
  });
});

describe("R0 requests of one connection", () => {
  const ofOne = () => {
    const last = { text: "", headers: {} };
    return (bytes: Buffer) => readWholeRequest(bytes, last);
  };

  it("R0 with the same fields share them, which nobody can change, and each has its own target and body", () => {
    const read = ofOne();
    const first = read(post("content-length: 3\r\nx-a: b\r\n", "abc", "POST /a HTTP/1.1"))!;
    const second = read(post("content-length: 3\r\nx-a: b\r\n", "def", "POST /b HTTP/1.1"))!;
    expect(second.headers).toBe(first.headers);
    expect(Object.isFrozen(second.headers)).toBe(true);
    expect([first.target, second.target]).toEqual(["/a", "/b"]);
    expect([first.body, second.body].map(String)).toEqual(["abc", "def"]);
  });

  it.each([
    ["another value", post("content-length: 3\r\nx-a: c\r\n"), { "x-a": "c" }],
    ["another name", post("content-length: 3\r\nx-c: b\r\n"), { "x-c": "b" }],
    ["one field less", post("content-length: 3\r\n"), { "content-length": "3" }],
  ])("R0 with %s than the one before have their own", (_what, bytes, fields) => {
    const read = ofOne();
    const first = read(post("content-length: 3\r\nx-a: b\r\n"))!;
    const { headers } = read(bytes)!;
    expect(headers).toEqual({ host: "x", "content-length": "3", ...fields });
    expect(first.headers).toEqual({ host: "x", "content-length": "3", "x-a": "b" });
  });

  it("R0 are held against their own body, whatever the one before was", () => {
    const read = ofOne();
    expect(read(post("content-length: 3\r\n"))).not.toBeNull();
    expect(read(post("content-length: 3\r\n", "abcd"))).toBeNull();
    expect(read(post("content-length: 3\r\n", "abc", "GET / HTTP/1.1"))).toBeNull();
    expect(read(post("content-length: 4\r\ntransfer-encoding: chunked\r\n", "abcd"))).toBeNull();
    expect(read(post("content-length: 3\r\n"))!.headers).toEqual({ host: "x", "content-length": "3" });
  });
});
