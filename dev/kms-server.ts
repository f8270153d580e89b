import { timingSafeEqual } from "node:crypto";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { readBody } from "./read-body.ts";
import { KmsRefusal, type Keyring } from "./kms-keyring.ts";
import { callKms } from "./kms-operations.ts";

const BODY_BYTES_MAX = 64 * 1024;
const CONTENT_TYPE = "application/x-amz-json-1.1";
const TARGET_PREFIX = "TrentService.";

/**
 * A server that speaks KMS's protocol (AWS JSON 1.1) over `ring` and does not listen yet. Whoever calls must sign with
 * `accessKeyId`, which nobody else knows: the loopback is open to every user of the machine, and signatures are not
 * verified here.
 */
export function createKmsServer(ring: Keyring, accessKeyId: string): Server {
  return createServer((request, response) => {
    answer(ring, accessKeyId, request).then(
      (result) => send(response, 200, result),
      (error: unknown) => {
        if (error instanceof KmsRefusal) {
          send(response, 400, { __type: error.type, message: error.message });
          return;
        }
        console.error(error);
        send(response, 500, { __type: "KMSInternalException", message: "" });
      },
    );
  });
}

async function answer(ring: Keyring, accessKeyId: string, request: IncomingMessage) {
  const body = await readBody(request, BODY_BYTES_MAX);
  if (body === null) throw new KmsRefusal("ValidationException", "the request is too large");
  if (!isSignedBy(request.headers.authorization ?? "", accessKeyId)) {
    throw new KmsRefusal("UnrecognizedClientException", "The security token included is invalid");
  }
  const target = String(request.headers["x-amz-target"] ?? "");
  if (request.method !== "POST" || !target.startsWith(TARGET_PREFIX)) {
    throw new KmsRefusal("UnknownOperationException");
  }
  return callKms(ring, target.slice(TARGET_PREFIX.length), parse(body));
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    // The parser's message quotes the text, and the text may be a secret.
    throw new KmsRefusal("SerializationException");
  }
}

function isSignedBy(authorization: string, accessKeyId: string): boolean {
  const given = /^AWS4-HMAC-SHA256 Credential=([^/]+)\//.exec(authorization)?.[1] ?? "";
  const [a, b] = [Buffer.from(given), Buffer.from(accessKeyId)];
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": CONTENT_TYPE, "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}
