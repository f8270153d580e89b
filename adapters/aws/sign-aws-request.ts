import { createHash, createHmac } from "node:crypto";

export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}
export interface AwsRequest {
  method: string;
  url: URL;
  /** Lower-case names; `host` is added. */
  headers: Readonly<Record<string, string>>;
  body: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/**
 * The headers of a request signed with AWS Signature Version 4, its own ones included: for the calls for which no client
 * of the SDK is among the dependencies. The path must be in its encoded form already, without `.` segments.
 */
export function signAwsRequest(
  { method, url, headers, body }: AwsRequest,
  by: { credentials: AwsCredentials; region: string; service: string; nowMs: number },
): Record<string, string> {
  const time = new Date(by.nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const day = time.slice(0, 8);
  const { accessKeyId, secretAccessKey, sessionToken } = by.credentials;
  const signed: Record<string, string> = {
    ...headers,
    host: url.host,
    "x-amz-date": time,
    ...(sessionToken === undefined ? {} : { "x-amz-security-token": sessionToken }),
  };
  const names = Object.keys(signed).toSorted();
  const query = [...url.searchParams]
    .map((pair) => pair.map(encodeURIComponent).join("="))
    .toSorted()
    .join("&");
  const canonical = [
    method,
    url.pathname,
    query,
    ...names.map((name) => `${name}:${signed[name]?.trim()}`),
    "",
    names.join(";"),
    sha256(body),
  ].join("\n");
  const scope = `${day}/${by.region}/${by.service}/aws4_request`;
  const dayKey = hmac(hmac(hmac(`AWS4${secretAccessKey}`, day), by.region), by.service);
  const key = hmac(dayKey, "aws4_request");
  const signature = hmac(key, [ALGORITHM, time, scope, sha256(canonical)].join("\n")).toString("hex");
  return {
    ...signed,
    authorization: `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}
