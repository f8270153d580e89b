import { createHash } from "node:crypto";
import { type Agent, request } from "node:http";

/** As an SDK would give up. */
const FETCH_MS_MAX = 5_000;

export interface EdgeTarget {
  agent: Agent;
  port: number;
  token: string;
}

export interface EdgeQuestion {
  config: string;
  region: string;
  labels: Readonly<Record<string, string>>;
  /** Of what is held. */
  etag: string | null;
  minIndex: string | null;
  /** The client gives up after so long; null: it waits. */
  cancelAfterMs: number | null;
}

export interface EdgeAnswer {
  status: number;
  version: number;
  index: string;
  etag: string;
  /** `X-Config-Hash` without its prefix. */
  hash: string;
  /** SHA-256 of the body that came. */
  bodyHash: string;
  retryAfterMs: number;
  text: string;
}

/** A fetch as a client sends it. Rejects when there is no whole answer: the reason is `cancelled`, `timeout` or the error's. */
export function fetchAtEdge(target: EdgeTarget, question: EdgeQuestion): Promise<EdgeAnswer> {
  const { config, region, labels, etag, minIndex, cancelAfterMs } = question;
  const claimed = Object.entries(labels).map(([name, value]) => [`x-client-label-${name}`, value]);
  return new Promise((resolve, reject) => {
    const sent = request({
      agent: target.agent,
      host: "127.0.0.1",
      port: target.port,
      path: `/api/v1/fetch/config/${config}`,
      headers: {
        host: `${region}.localhost:${target.port}`,
        authorization: `Bearer ${target.token}`,
        ...(Object.fromEntries(claimed) as Record<string, string>),
        ...(etag === null ? {} : { "if-none-match": etag }),
        ...(minIndex === null ? {} : { "x-conflux-min-index": minIndex }),
      },
    });
    const timer = setTimeout(
      () => sent.destroy(new Error(cancelAfterMs === null ? "timeout" : "cancelled")),
      cancelAfterMs ?? FETCH_MS_MAX,
    );
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    sent.on("error", fail);
    sent.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", fail);
      response.on("end", () => {
        clearTimeout(timer);
        const header = (name: string): string => String(response.headers[name] ?? "");
        const body = Buffer.concat(chunks);
        resolve({
          status: response.statusCode ?? 0,
          version: Number(header("x-config-version")),
          index: header("x-config-index"),
          etag: header("etag"),
          hash: header("x-config-hash").replace("sha256:", ""),
          bodyHash: createHash("sha256").update(body).digest("hex"),
          retryAfterMs: Number(header("retry-after") || 0) * 1000,
          text: body.toString(),
        });
      });
    });
    sent.end();
  });
}
