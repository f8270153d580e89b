import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "../testing/stack.ts";

const RATE = 20;
const ROUNDS_MAX = 20;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { CONFLUX_CLIENT_RATE: String(RATE) } });
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
});

const fetchAs = (client: string): Promise<Response> =>
  fetch(`${stack.dev.edge_url}/api/v1/fetch/config/demo/shop/prod/none.json`, {
    headers: { authorization: `Bearer ${stack.dev.client_token}`, "cf-connecting-ip": client },
  });

test("E8 a client that sends too much is answered 429 with Retry-After, and another is not", async () => {
  let refused: Response | undefined;
  // The counter is not asked about the first fifty of a window; a window that ends meanwhile costs as many again.
  for (let round = 0; round < ROUNDS_MAX && refused === undefined; round += 1) {
    const answers = await Promise.all(Array.from({ length: 50 + RATE }, () => fetchAs("198.51.100.1")));
    refused = answers.find(({ status }) => status !== 404);
  }
  expect(refused?.status).toBe(429);
  expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(await refused?.json()).toMatchObject({ code: "rate_limited" });
  expect((await fetchAs("198.51.100.2")).status).toBe(404);
});
