/**
 * Posts to a webhook that a tenant named. Invariant: outside of a development machine no connection is opened to anything
 * but a public address, by TLS. Names are resolved once, every address of a name must be public, and the connection goes to
 * the address that was looked at, so a name that changes in between leads nowhere else. Redirects are answers, not followed.
 */
import { lookup } from "node:dns/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import {
  WEBHOOK_ANSWER_BYTES_MAX,
  WEBHOOK_MS_MAX,
  type WebhookReply,
  type WebhookRequest,
} from "../../contracts/publish/webhook-api.ts";
import { isPublicAddress } from "./public-address.ts";

export interface PostWebhookOptions {
  /** A development machine: plain HTTP and local addresses are fine. */
  allowLocal: boolean;
  timeoutMs?: number;
  resolve?: (host: string) => Promise<{ address: string; family: number }[]>;
}

type Address = { address: string; family: number };

/** The answer, or why there is none; never rejects. */
export async function postWebhook(
  options: PostWebhookOptions,
  request: WebhookRequest,
): Promise<WebhookReply> {
  const url = URL.canParse(request.url) ? new URL(request.url) : null;
  const schemes = options.allowLocal ? ["https:", "http:"] : ["https:"];
  if (url === null || !schemes.includes(url.protocol)) return no("the address is not one of https");
  if (url.username !== "" || url.password !== "") return no("the address holds a password");
  const timeoutMs = options.timeoutMs ?? WEBHOOK_MS_MAX;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const addresses = await orAbort(resolveHost(options, url), signal);
    const [first] = addresses;
    if (first === undefined) return no("its name has no address");
    if (!options.allowLocal && !addresses.every(({ address }) => isPublicAddress(address))) {
      return no("its address is not a public one");
    }
    return await send(url, first, request, signal);
  } catch (error) {
    if (signal.aborted) return no(`no answer within ${timeoutMs} ms`);
    return no(`it cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const no = (reason: string): WebhookReply => ({ ok: false, reason });

function resolveHost({ resolve }: PostWebhookOptions, url: URL): Promise<Address[]> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return resolve === undefined ? lookup(host, { all: true }) : resolve(host);
}

/** Name resolution cannot be called off; nobody waits for it any longer. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("too late")), { once: true });
  });
  return Promise.race([work, aborted]);
}

function send(
  url: URL,
  { address, family }: Address,
  { headers, body }: WebhookRequest,
  signal: AbortSignal,
): Promise<WebhookReply> {
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: "POST",
        headers: { ...headers, "content-length": String(Buffer.byteLength(body)) },
        signal,
        // A connection of its own: one that was opened for another name was looked at for that one.
        agent: false,
        lookup: (_host, { all }, done) => {
          if (all === true) done(null, [{ address, family }]);
          else done(null, address, family);
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on("data", (chunk: Buffer) => {
          size += chunk.byteLength;
          chunks.push(chunk);
          if (size <= WEBHOOK_ANSWER_BYTES_MAX) return;
          resolve(no(`its answer has more than ${WEBHOOK_ANSWER_BYTES_MAX} bytes`));
          answer.destroy();
        });
        answer.on("error", reject);
        answer.on("end", () => {
          resolve({ ok: true, status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}
