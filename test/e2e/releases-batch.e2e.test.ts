import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { adminOk, getRaw, watchBySocket, watchByStream } from "../testing/stack-client.ts";

const REGIONS = ["us-east-1", "cn-chengdu"];
const NAMES = ["batch-one.json", "batch-two.json"];

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
});

test("C7 E9 one batch changes two configs at one index, and whoever watches either of them is told", async () => {
  const place = { tenant: "demo", app: "shop", env: "prod", format: "json" };
  const ids: string[] = [];
  for (const name of NAMES) {
    const body = { ...place, name, content: '{"n":1}', release: true };
    ids.push(String((await adminOk(stack, "POST", "/mgt/configs", body)).json["id"]));
  }
  const full = NAMES.map((name) => `demo/shop/prod/${name}`);
  const watchers = [
    await watchBySocket(stack, full),
    await watchByStream(stack, full),
    await watchBySocket(stack, full.slice(1)),
  ];
  const items = ids.map((config_id) => ({ config_id, content: '{"n":2}', default_version_id: "new" }));
  const { json } = await adminOk(stack, "POST", "/mgt/releases:batch", { items });
  const index = String(json["index"]);

  const { port } = new URL(stack.dev.edge_url);
  for (const region of REGIONS) {
    for (const config of full) {
      const headers = { host: `${region}.localhost:${port}`, "x-conflux-min-index": index };
      expect((await getRaw(stack, `/api/v1/fetch/config/${config}`, headers)).text).toBe('{"n":2}');
    }
  }
  for (const [i, wanted] of [full, full, full.slice(1)].entries()) {
    const told = (): string[] =>
      (watchers[i]?.messages ?? []).flatMap((message) =>
        message.type === "change" && message.version === 2 ? (message.config ?? []) : [],
      );
    await until(() => told().length >= wanted.length, `watcher ${i} is told of ${wanted.join()}`);
    expect(told().toSorted()).toEqual(wanted);
    watchers[i]?.close();
  }
});
