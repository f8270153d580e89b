import { exports } from "cloudflare:workers";
import type { createEdge } from "../app.ts";
import type { EdgeEnv } from "../env.ts";

type Edge = ReturnType<typeof createEdge>;
const HOSTED_HEADER = "x-test-edge";
const hosted = new Map<string, { edge: Edge; env: EdgeEnv }>();

/** The edge that a request was sent to by `sendToHosted`; null for any other request. */
export function hostedEdge(request: Request): { edge: Edge; env: EdgeEnv } | null {
  return hosted.get(request.headers.get(HOSTED_HEADER) ?? "") ?? null;
}

/**
 * Sends a request to `edge` as clients do: it is handled in a context of its own, in the same isolate, and that context is
 * gone with all that waits in it when the client aborts.
 */
export async function sendToHosted(edge: Edge, env: EdgeEnv, request: Request): Promise<Response> {
  const id = crypto.randomUUID();
  hosted.set(id, { edge, env });
  const sent = new Request(request);
  sent.headers.set(HOSTED_HEADER, id);
  const { default: entry } = exports as unknown as { default: Pick<Fetcher, "fetch"> };
  return entry.fetch(sent);
}
