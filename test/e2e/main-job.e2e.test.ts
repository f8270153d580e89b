import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack, until } from "../testing/stack.ts";
import {
  type Watcher,
  admin,
  adminOk,
  fetchConfig,
  getRaw,
  watchBySocket,
  watchByStream,
} from "../testing/stack-client.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
});

const changes = (watcher: Watcher): (string | undefined)[] =>
  watcher.messages.filter((m) => m.type === "change").map((m) => m.index);

test("C1 C2 C4 C6 E1 E9 create, release to canary, roll back: seen by fetches and watchers", async () => {
  const name = "demo/shop/prod/limits.json";
  const v1 = '{ "max_items": 10 }\n';
  const v2 = '{ "max_items": 20 }\n';
  const place = { tenant: "demo", app: "shop", env: "prod", name: "limits.json", format: "json" };
  const created = await adminOk(stack, "POST", "/mgt/configs", { ...place, content: v1, release: true });
  expect(created.status).toBe(201);
  expect(created.json).toMatchObject({
    namespace: { tenant: "demo", app: "shop", env: "prod" },
    name: "limits.json",
    format: "json",
    latest_version_id: 1,
    encrypted: false,
  });
  const id = String(created.json["id"]);
  const first = await fetchConfig(stack, name, { minIndex: String(created.json["index"]) });
  expect([first.status, first.text, first.headers.get("x-config-version")]).toEqual([200, v1, "1"]);
  expect(first.headers.get("content-type")).toBe("application/json");

  const socket = await watchBySocket(stack, [name]);
  const stream = await watchByStream(stack, ["demo/shop/prod/*"]);
  const version = await adminOk(stack, "POST", `/mgt/configs/${id}/versions`, {
    content: v2,
    description: "more",
  });
  expect([version.status, version.json["version_id"]]).toEqual([201, 2]);

  const canary = { labels: { canary: "true" }, version_id: 2, priority: 10 };
  const everyone = { labels: {}, version_id: 1, priority: 0 };
  const released = await adminOk(stack, "PUT", `/mgt/configs/${id}/releases`, [canary, everyone]);
  const index = String(released.json["index"]);
  const minIndex = index;
  const forCanary = await fetchConfig(stack, name, { labels: { canary: "true" }, minIndex });
  const forOthers = await fetchConfig(stack, name, { labels: { canary: "no" }, minIndex });
  expect([forCanary.text, forCanary.headers.get("x-config-version")]).toEqual([v2, "2"]);
  expect([forOthers.text, forOthers.headers.get("x-config-version")]).toEqual([v1, "1"]);
  await until(
    () => changes(socket).includes(index) && changes(stream).includes(index),
    "both watchers are told",
  );

  const all = await adminOk(stack, "PUT", `/mgt/configs/${id}/releases`, [{ ...everyone, version_id: 2 }]);
  expect((await fetchConfig(stack, name, { minIndex: String(all.json["index"]) })).text).toBe(v2);
  const back = await adminOk(stack, "POST", `/mgt/configs/${id}/rollback`, { version_id: 1 });
  const backIndex = String(back.json["index"]);
  const rolledBack = await fetchConfig(stack, name, { minIndex: backIndex });
  expect([rolledBack.text, rolledBack.headers.get("x-config-version")]).toEqual([v1, "1"]);
  await until(
    () => changes(socket).includes(backIndex) && changes(stream).includes(backIndex),
    "both watchers are told of the rollback",
  );

  await adminOk(stack, "DELETE", `/mgt/configs/${id}`);
  await until(
    () => socket.messages.some((m) => m.type === "change" && m.deleted),
    "the watcher is told of the end",
  );
  await until(async () => (await fetchConfig(stack, name)).status === 404, "the edge forgets it");
  socket.close();
  stream.close();
});

test("E6 an unchanged config answers 304, and HEAD answers without a body", async () => {
  const name = "demo/shop/prod/app.json";
  const got = await fetchConfig(stack, name);
  const etag = got.headers.get("etag") ?? "";
  const again = await fetchConfig(stack, name, { headers: { "if-none-match": etag } });
  expect([again.status, again.text]).toEqual([304, ""]);
  const head = await fetchConfig(stack, name, { method: "HEAD" });
  expect([head.status, head.text, head.headers.get("etag")]).toEqual([200, "", etag]);
});

test("E3 the region of a request is the first label of its host, in the local stack", async () => {
  const place = { tenant: "demo", app: "shop", env: "prod", name: "region.text", format: "text" };
  const created = await adminOk(stack, "POST", "/mgt/configs", { ...place, content: "world", release: true });
  const id = String(created.json["id"]);
  await adminOk(stack, "POST", `/mgt/configs/${id}/versions`, { content: "chengdu", description: "local" });
  const released = await adminOk(stack, "PUT", `/mgt/configs/${id}/releases`, [
    { labels: {}, version_id: 2, priority: 5, edge: { regions: ["cn-chengdu"] } },
    { labels: {}, version_id: 1, priority: 0 },
  ]);
  const minIndex = String(released.json["index"]);
  const { port } = new URL(stack.dev.edge_url);
  const path = "/api/v1/fetch/config/demo/shop/prod/region.text";
  const textIn = async (host: string): Promise<string> =>
    (await getRaw(stack, path, { host, "x-conflux-min-index": minIndex })).text;
  expect(await textIn(`cn-chengdu.localhost:${port}`)).toBe("chengdu");
  for (const host of [`us-east-1.localhost:${port}`, `localhost:${port}`, "nowhere.example"]) {
    expect(await textIn(host)).toBe("world");
  }
});

test("the sample data of a first start is served in its three formats", async () => {
  const types = await Promise.all(
    ["app.json", "routes.yaml", "worker.properties"].map(async (name) => {
      const answer = await fetchConfig(stack, `demo/shop/prod/${name}`);
      return [answer.status, answer.headers.get("content-type")];
    }),
  );
  expect(types).toEqual([
    [200, "application/json"],
    [200, "application/yaml"],
    [200, "text/plain; charset=utf-8"],
  ]);
});

test("A3 the printed password signs in, and its token works", async () => {
  const password = /admin \/ (\S+)/.exec(stack.output())?.[1] ?? "";
  const login = await admin(
    stack,
    "POST",
    "/auth/login",
    { username: "admin", password },
    { authorization: "" },
  );
  expect(login.status).toBe(200);
  const authorization = `Bearer ${String(login.json["access_token"])}`;
  const list = await admin(stack, "GET", "/mgt/configs?tenant=demo", undefined, { authorization });
  expect(list.status).toBe(200);
  expect((list.json["items"] as unknown[]).length).toBeGreaterThan(2);
});

test("A5 every log write has its audit row with the trace id of its request", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const place = { tenant: "demo", app: "shop", env: "prod", name: "audited.text", format: "text" };
  await adminOk(
    stack,
    "POST",
    "/mgt/configs",
    { ...place, content: "x" },
    { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
  );
  const row = await until(async () => {
    const { json } = await adminOk(stack, "GET", "/audit-logs?tenant=demo&limit=200");
    return (json["items"] as Record<string, unknown>[]).find((item) => item["trace_id"] === traceId);
  }, "the audit row");
  expect(row).toMatchObject({ action: "write", resource: "demo/shop/prod/audited.text", ip: "127.0.0.1" });
  // R9: the leader's stamp is the present, also in a log that has just begun.
  expect(Math.abs(Date.parse(String(row["created_at"])) - Date.now())).toBeLessThan(600_000);
});
