import { beforeEach, describe, expect, it } from "vitest";
import { newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const MGT = "/api/v1/mgt";
let admin: TestingAdmin;
let id: string;
/** The config of a typed one whose version 1 is published and version 2 a draft. */
beforeEach(async () => {
  admin = testingAdmin();
  const sources = "/api/v1/gray/data-sources";
  const made = await admin.send("POST", sources, { source: "pop" });
  ({ id } = await made.json<{ id: string }>());
  await admin.send("POST", `${sources}/${id}/publish`, { strategy: { type: "all" } });
  expect((await admin.send("PUT", `${sources}/${id}`, { dm: "two" })).status).toBe(200);
});

const typed = { app: "gray", env: "data-source", name: "broken" };
const rules = [{ labels: {}, version_id: 2, priority: 0 }];
const bundle = { id: "b", tenant: "demo", app: "gray", env: "api-meta" };
const ask = (operation: object) => ["POST", "/change-requests", { config_id: "$id", operation }] as const;

describe("P1 a typed config cannot be broken through the routes of other configs", () => {
  it.each([
    ["POST", "/configs", newConfig(typed), "/app"],
    ["POST", "/configs", newConfig({ ...typed, env: "api-record", encrypt: true }), "/app"],
    ["POST", "/configs/$id/versions", { content: "{}" }, ""],
    ["POST", "/configs/$id/publish", { content: "{}", strategy: { type: "all" } }, "/content"],
    ["PUT", "/configs/$id/releases", rules, ""],
    ["POST", "/configs/$id/rollback", { version_id: 2 }, "/version_id"],
    [
      "POST",
      "/releases:batch",
      { items: [{ config_id: "$id", default_version_id: 1 }] },
      "/items/0/config_id",
    ],
    ["POST", "/apply", { bundle, configs: [{ name: "a", format: "json", content: "{}" }] }, "/configs/0/app"],
    [...ask({ type: "version", version: { content: "{}" } }), "/operation/version"],
    [
      ...ask({ type: "publish", publish: { content: "{}", strategy: { type: "all" } } }),
      "/operation/publish",
    ],
    [...ask({ type: "releases", releases: rules }), "/operation/releases"],
    [...ask({ type: "rollback", version_id: 2 }), "/operation/version_id"],
  ] as const)("%s %s %j", async (method, path, body, blamed) => {
    const before = await admin.core.status();
    const text = JSON.stringify(body).replaceAll("$id", id);
    const answer = await admin.send(method, MGT + path.replaceAll("$id", id), text, {
      "content-type": "application/json",
    });
    const { code, errors } = await readProblem(answer);
    expect([answer.status, code, errors[0]?.path]).toEqual([400, "validation_failed", blamed]);
    expect(errors[0]?.message).toContain("/api/v1/gray/");
    expect(await admin.core.status()).toEqual(before);
  });

  it("what does not change its contents is taken: rollback, plans, requests for them, deletion", async () => {
    const configs = `${MGT}/configs/${id}`;
    expect((await admin.send("POST", `${configs}/rollback`, { version_id: 1 })).status).toBe(200);
    const plan = { version_id: 2, strategy: { type: "canary", canary_labels: { a: "b" } } };
    const operation = { type: "publish", publish: plan };
    const request = await admin.send("POST", `${MGT}/change-requests`, { config_id: id, operation });
    expect(request.status).toBe(201);
    expect((await admin.send("POST", `${configs}/publish`, plan)).status).toBe(202);
    expect((await admin.send("DELETE", configs)).status).toBe(200);
  });

  it("other environments of the application gray are anybody's", async () => {
    expect((await admin.send("POST", `${MGT}/configs`, newConfig({ app: "gray" }))).status).toBe(201);
  });

  it("C14 an edit voids what was approved of a draft", async () => {
    const operation = { type: "publish", publish: { version_id: 2, strategy: { type: "all" } } };
    const asked = await admin.send("POST", `${MGT}/change-requests`, { config_id: id, operation });
    const request = await asked.json<{ id: string; digest: string }>();
    await admin.send("PUT", `/api/v1/gray/data-sources/${id}`, { dm: "something else" });
    const path = `${MGT}/change-requests/${request.id}/execute`;
    const executed = await admin.send("POST", path, { digest: request.digest });
    expect((await readProblem(executed)).code).toBe("precondition_failed");
  });
});

it("P1 a config from before its namespace was that of typed configs is left out of lists, and told of when asked for", async () => {
  const { testCommand, testConfigPayload } = await import("../../domain/command/testing-commands.ts");
  const bytes = new TextEncoder().encode("{}");
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  const sha256 = Buffer.from(digest).toString("hex");
  const namespace = { tenant: "demo", app: "gray", env: "data-source" };
  const { result } = await admin.core.propose<"create_config">({
    command: testCommand("create_config", testConfigPayload("old", sha256, { namespace })),
    attachments: [bytes],
  });
  const list = await admin.send("GET", "/api/v1/gray/data-sources");
  expect(await list.json()).toMatchObject({ items: [{ source: "pop" }] });
  expect(admin.logs).toMatchObject([{ level: "warn", config_id: result.config.id }]);
  const one = await admin.send("GET", `/api/v1/gray/data-sources/${result.config.id}`);
  expect((await readProblem(one)).code).toBe("conflict");
});

it("P1 C13 an export leaves typed configs out, so that it can be applied again", async () => {
  await admin.send("POST", "/api/v1/mgt/configs", newConfig({ release: true }));
  const answer = await admin.send("GET", "/api/v1/mgt/export?tenant=demo");
  const exported = await answer.json<{ configs: { app: string }[] }>();
  expect(exported.configs.map(({ app }) => app)).toEqual(["shop"]);
  const applied = await admin.send("POST", "/api/v1/mgt/apply?adopt=true", exported);
  expect([applied.status, await applied.text()]).toEqual([200, expect.any(String)]);
  const none = await admin.send("GET", "/api/v1/mgt/export?tenant=demo&app=gray&env=data-source");
  expect(await none.json()).toMatchObject({ configs: [] });
});
