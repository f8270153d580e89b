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

test("C5 C8 E1 E3 a rule of operators and a percentage, written through the admin API, decides at the edge", async () => {
  const name = "demo/shop/prod/operators.text";
  const place = { tenant: "demo", app: "shop", env: "prod", name: "operators.text", format: "text" };
  const created = await adminOk(stack, "POST", "/mgt/configs", { ...place, content: "1", release: true });
  const id = String(created.json["id"]);
  for (const content of ["2", "3"]) {
    await adminOk(stack, "POST", `/mgt/configs/${id}/versions`, { content, description: content });
  }
  const modern = {
    when: [
      { label: "app", op: "semver", values: [">=2.0.0"] },
      { label: "ip", op: "cidr", values: ["10.0.0.0/8", "2001:db8::/32"] },
      { label: "host", op: "regex", values: ["^web-\\d+$"] },
    ],
    version_id: 2,
    priority: 20,
    edge: { regions: ["cn-chengdu"] },
  };
  const put = async (percent: number): Promise<string> => {
    const share = { percentage: { by: "user", percent }, version_id: 3, priority: 10 };
    const everyone = { labels: {}, version_id: 1, priority: 0 };
    const answer = await adminOk(stack, "PUT", `/mgt/configs/${id}/releases`, [modern, share, everyone]);
    expect(answer.json["warnings"]).toEqual([]);
    return String(answer.json["index"]);
  };
  const users = Array.from({ length: 40 }, (_, i) => `user-${i}`);
  const seenBy = async (minIndex: string): Promise<string[]> => {
    const answers = await Promise.all(
      users.map((user) => fetchConfig(stack, name, { labels: { user }, minIndex })),
    );
    return answers.map(({ text }) => text);
  };
  const simulated = async (query: string): Promise<string> =>
    String((await adminOk(stack, "GET", `/mgt/configs/${id}/resolve?${query}`)).json["version_id"]);

  const few = await seenBy(await put(30));
  const index = await put(70);
  const more = await seenBy(index);
  expect([few.includes("3"), few.includes("1"), more.includes("1")]).toEqual([true, true, true]);
  expect(few.every((text, i) => text === "1" || more[i] === "3")).toBe(true);
  // One after the other: each request to the admin API opens a connection to Postgres here, and forty at once take a busy
  // machine longer than the API waits for one.
  const told: string[] = [];
  for (const user of users) told.push(await simulated(`label.user=${user}`));
  expect(told).toEqual(more);

  const { port } = new URL(stack.dev.edge_url);
  const textIn = async (region: string, headers: Record<string, string>): Promise<string> =>
    (
      await getRaw(stack, `/api/v1/fetch/config/${name}`, {
        host: `${region}.localhost:${port}`,
        "x-conflux-min-index": index,
        ...headers,
      })
    ).text;
  const client = {
    "x-client-label-app": "2.1.0",
    "x-client-label-ip": "2001:db8::7",
    "x-client-label-host": "web-12",
  };
  expect(await textIn("cn-chengdu", client)).toBe("2");
  expect(await textIn("us-east-1", client)).toBe("1");
  expect(await textIn("cn-chengdu", { ...client, "x-client-label-app": "1.9.9" })).toBe("1");
  expect(await textIn("cn-chengdu", { ...client, "x-client-label-ip": "11.0.0.1" })).toBe("1");
  expect(await simulated("label.app=2.1.0&label.ip=10.9.9.9&label.host=web-1&edge.region=cn-chengdu")).toBe(
    "2",
  );

  const refused = await admin(stack, "PUT", `/mgt/configs/${id}/releases`, [
    { version_id: 1, when: [{ label: "a", op: "regex", values: ["(?<=a)b"] }] },
  ]);
  expect(refused.status).toBe(400);
  expect(refused.json["errors"]).toMatchObject([{ path: "/0/when/0/values/0" }]);
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
