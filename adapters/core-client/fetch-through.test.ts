import { expect, it } from "vitest";
import { CoreClient } from "./core-client.ts";
import { fetchThrough } from "./fetch-through.ts";

it("R8 a client with a binding sends everything through it, as its method", async () => {
  const binding = {
    asked: [] as string[],
    async fetch(this: { asked: string[] }, input: Parameters<typeof fetch>[0]): Promise<Response> {
      this.asked.push(new URL(new Request(input).url).host);
      return Response.json({ cluster_id: "c1" });
    },
  };
  const client = new CoreClient({
    urls: ["https://node-1.core.test"],
    serviceKey: "a service key of at least 32 bytes!!",
    role: "admin",
    ...fetchThrough(binding),
  });
  expect(await client.status()).toEqual({ cluster_id: "c1" });
  expect(binding.asked).toEqual(["node-1.core.test"]);
});

it("without a binding the global fetch stays", () => {
  expect(fetchThrough(undefined)).toEqual({});
});
