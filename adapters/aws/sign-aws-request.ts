import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";

export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}
export interface AwsRequest {
  method: string;
  /** Its path in encoded form. */
  url: URL;
  /** Lower-case names; `host` is added. */
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** Node's own SHA-256 in the shape in which the signer takes one: with a key an HMAC. */
class NodeSha256 {
  readonly #hash;

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(key));
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {
    throw new Error("a digest is made once");
  }
}

/**
 * The headers of a request signed with AWS Signature Version 4, its own ones included: for calls for which no client of the
 * SDK is among the dependencies, by the signer of the SDK.
 */
export async function signAwsRequest(
  { method, url, headers, body }: AwsRequest,
  by: { credentials: AwsCredentials; region: string; service: string; nowMs: number },
): Promise<Record<string, string>> {
  const { accessKeyId, secretAccessKey, sessionToken } = by.credentials;
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    region: by.region,
    service: by.service,
    sha256: NodeSha256,
    applyChecksum: false,
  });
  const request = {
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { ...headers, host: url.host },
    body,
  };
  return (await signer.sign(request, { signingDate: new Date(by.nowMs) })).headers;
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return Buffer.from(data);
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
