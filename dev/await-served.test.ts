import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { awaitServed } from "./await-served.ts";

let server: Server | null = null;
afterEach(() => {
  server?.close();
  server = null;
});

/** An edge that answers so, one after the other, and what it was asked. */
async function edge(...statuses: number[]): Promise<{ edgeUrl: string; asked: IncomingHttpHeaders[] }> {
  const asked: IncomingHttpHeaders[] = [];
  const made = createServer((request, response) => {
    asked.push(request.headers);
    response.writeHead(statuses[asked.length - 1] ?? 500).end("why");
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  return { edgeUrl: `http://127.0.0.1:${(made.address() as AddressInfo).port}`, asked };
}
const what = { token: "t", config: "demo/shop/prod/a.json", index: "c1.1.7.x" };

it("asks for the index until the region has it", async () => {
  const { edgeUrl, asked } = await edge(503, 200);
  await awaitServed({ edgeUrl, ...what });
  expect(asked.map((headers) => [headers["x-conflux-min-index"], headers.authorization])).toEqual([
    ["c1.1.7.x", "Bearer t"],
    ["c1.1.7.x", "Bearer t"],
  ]);
});

it("says what the edge said when that is not 'not yet'", async () => {
  const { edgeUrl } = await edge(404);
  await expect(awaitServed({ edgeUrl, ...what })).rejects.toThrow(
    "the edge answered 404 for demo/shop/prod/a.json: why",
  );
});
