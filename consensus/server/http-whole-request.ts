import type { IncomingMessage } from "node:http";

/** Head and body of a request that came whole, in one piece. */
export interface WholeRequest {
  method: "GET" | "POST";
  target: string;
  /** By lower-case name; shared with other requests of the connection. */
  headers: Readonly<IncomingMessage["headers"]>;
  body: Uint8Array;
}

const HEAD_BYTES_MAX = 4 * 1024;
const FIELDS_MAX = 32;
const HEAD_END = "\r\n\r\n";
const REQUEST_LINE = /^(?:GET|POST) \/[!-~]* HTTP\/1\.1$/;
const VERSION = " HTTP/1.1";
/** A name of letters, digits and dashes; a value of printable ASCII that neither begins nor ends with a space. */
const FIELD = /^([A-Za-z][A-Za-z0-9-]*): ?((?:[!-~](?:[ -~]*[!-~])?)?)$/;
const LENGTH = /^(?:0|[1-9]\d{0,8})$/;
/** They change how a message is framed, or what is to be answered: not for us. */
const DELICATE = new Set(["transfer-encoding", "te", "trailer", "expect", "upgrade", "proxy-connection"]);

/** The fields that a connection's last request had: most clients send the same ones each time. */
export interface LastFields {
  text: string;
  headers: Readonly<IncomingMessage["headers"]>;
}

/**
 * Reads the plainest kind of HTTP/1.1 request: GET or POST of a path, each field once, a body of the length said, nothing
 * after it. Null for everything else, valid or not: that is for a parser that knows the whole protocol. `last`: what the same
 * connection had before, to begin with an empty text; it is changed to what it has now.
 */
export function readWholeRequest(bytes: Buffer, last: LastFields): WholeRequest | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1 || headEnd > HEAD_BYTES_MAX) return null;
  const head = bytes.toString("latin1", 0, headEnd);
  const lineEnd = head.indexOf("\r\n");
  // A host there must be, so there is a second line.
  if (lineEnd === -1) return null;
  const line = head.slice(0, lineEnd);
  if (!REQUEST_LINE.test(line)) return null;
  const method = line.startsWith("G") ? "GET" : "POST";
  const fields = head.slice(lineEnd + 2);
  if (fields !== last.text) {
    const headers = readFields(fields);
    if (headers === null) return null;
    last.headers = headers;
    last.text = fields;
  }
  const { headers } = last;
  const body = bytes.subarray(headEnd + HEAD_END.length);
  const length = headers["content-length"];
  const isFramed =
    method === "GET"
      ? length === undefined && body.byteLength === 0
      : length !== undefined && LENGTH.test(length) && body.byteLength === Number(length);
  if (!isFramed) return null;
  return { method, target: line.slice(method.length + 1, -VERSION.length), headers, body };
}

/** Null when there is one that is not plain, or none that says the host. */
function readFields(text: string): Readonly<IncomingMessage["headers"]> | null {
  const lines = text.split("\r\n");
  if (lines.length > FIELDS_MAX) return null;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, given, value] = FIELD.exec(line) ?? [];
    if (given === undefined || value === undefined) return null;
    const name = given.toLowerCase();
    if (Object.hasOwn(headers, name) || DELICATE.has(name)) return null;
    headers[name] = value;
  }
  if (headers["host"] === undefined || !staysOpen(headers["connection"])) return null;
  return Object.freeze(headers);
}

const staysOpen = (connection: string | undefined): boolean =>
  connection === undefined || connection.toLowerCase() === "keep-alive";
