import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type AwsCredentials, signAwsRequest } from "../adapters/aws/sign-aws-request.ts";

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;
/** AWS's own. */
const AGE_MS_MAX = 15 * 60_000;

/** Whether a request bears a signature of `credentials` over its method, path, signed headers and `body`, for `service`. */
export async function verifyAwsSignature(
  request: Pick<IncomingMessage, "method" | "url" | "headers">,
  body: string,
  by: { credentials: AwsCredentials; service: string; nowMs: number },
): Promise<boolean> {
  const { headers } = request;
  const [, accessKeyId, region = "", service, names = "", signature = ""] =
    AUTHORIZATION.exec(headers.authorization ?? "") ?? [];
  if (accessKeyId !== by.credentials.accessKeyId || service !== by.service) return false;
  const signed = names.split(";");
  if (!["host", "x-amz-date"].every((name) => signed.includes(name))) return false;
  const atMs = readTime(String(headers["x-amz-date"]));
  if (!(Math.abs(by.nowMs - atMs) <= AGE_MS_MAX)) return false;
  // Where a request says what its body's digest is, that is what is signed in its place.
  const digest = headers["x-amz-content-sha256"];
  if (digest !== undefined && digest !== createHash("sha256").update(body).digest("hex")) return false;
  const others = signed.filter((name) => !["host", "x-amz-date", "x-amz-security-token"].includes(name));
  const again = await signAwsRequest(
    {
      method: request.method ?? "",
      url: new URL(request.url ?? "/", `http://${headers.host ?? ""}`),
      headers: Object.fromEntries(others.map((name) => [name, String(headers[name])])),
      body,
    },
    { credentials: by.credentials, region, service, nowMs: atMs },
  );
  const expected = again["authorization"]?.split("Signature=")[1] ?? "";
  const [a, b] = [Buffer.from(expected), Buffer.from(signature)];
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}

/** Of `20260101T120000Z`; NaN for another text. */
function readTime(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
}
