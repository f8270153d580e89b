import type { IncomingMessage } from "node:http";

/** Head and body of a request that came whole, in one piece. */
export interface WholeRequest {
  method: "GET" | "POST";
  target: string;
  /** By lower-case name. */
  headers: IncomingMessage["headers"];
  body: Uint8Array;
}

const HEAD_BYTES_MAX = 4 * 1024;
const FIELDS_MAX = 32;
const HEAD_END = "\r\n\r\n";
const REQUEST_LINE = /^(GET|POST) (\/[!-~]*) HTTP\/1\.1$/;
/** A name of letters, digits and dashes; a value of printable ASCII that neither begins nor ends with a space. */
const FIELD = /^([A-Za-z][A-Za-z0-9-]*): ?((?:[!-~](?:[ -~]*[!-~])?)?)$/;
const LENGTH = /^(?:0|[1-9]\d{0,8})$/;
/** They change how a message is framed, or what is to be answered: not for us. */
const DELICATE = new Set(["transfer-encoding", "te", "trailer", "expect", "upgrade", "proxy-connection"]);

/**
 * Reads the plainest kind of HTTP/1.1 request: GET or POST of a path, each field once, a body of the length said, nothing
 * after it. Null for everything else, valid or not: that is for a parser that knows the whole protocol.
 */
export function readWholeRequest(bytes: Buffer): WholeRequest | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1 || headEnd > HEAD_BYTES_MAX) return null;
  const lines = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const [, method, target] = REQUEST_LINE.exec(lines[0]!) ?? [];
  if (method === undefined || target === undefined || lines.length > FIELDS_MAX + 1) return null;
  const headers: Record<string, string> = {};
  for (let i = 1; i < lines.length; i += 1) {
    const [, given, value] = FIELD.exec(lines[i]!) ?? [];
    if (given === undefined || value === undefined) return null;
    const name = given.toLowerCase();
    if (Object.hasOwn(headers, name) || DELICATE.has(name)) return null;
    headers[name] = value;
  }
  if (headers["host"] === undefined || !staysOpen(headers["connection"])) return null;
  const body = bytes.subarray(headEnd + HEAD_END.length);
  const length = headers["content-length"];
  const isFramed =
    method === "GET"
      ? length === undefined && body.byteLength === 0
      : length !== undefined && LENGTH.test(length) && body.byteLength === Number(length);
  return isFramed ? { method: method === "GET" ? "GET" : "POST", target, headers, body } : null;
}

const staysOpen = (connection: string | undefined): boolean =>
  connection === undefined || connection.toLowerCase() === "keep-alive";
