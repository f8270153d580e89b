import { describe, expect, it } from "vitest";
import { newConfig, readProblem, testingAdmin } from "./testing-admin.ts";

/** What depends on the runtime, inside workerd: no eval, its own TextDecoder, streams and crypto. */
const CONFIGS = "/api/v1/mgt/configs";
const utf8 = new TextEncoder();

describe("C3 in workerd", () => {
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    required: ["service"],
    properties: {
      service: { $ref: "#/definitions/service" },
      at: { format: "date-time" },
    },
    definitions: { service: { type: "object", properties: { port: { type: "integer", maximum: 65535 } } } },
    patternProperties: { "^[\\w-.]+_id$": { type: "string" } },
  };

  it.each([
    ["json", '{"service": {"port": 80}, "at": "2026-01-02T03:04:05Z"}', '{"service": {"port": 70000}}'],
    ["yaml", "service: &s\n  port: 80\ncopy: *s\n", "service:\n  port: eighty\n"],
    ["toml", "at = 2026-01-02T03:04:05Z\n[service]\nport = 80\n", "[service]\nport = 80.5\n"],
  ])("%s is parsed and judged by its schema", async (format, valid, invalid) => {
    const { send } = testingAdmin();
    const created = await send("POST", CONFIGS, newConfig({ format, schema, content: valid }));
    expect(created.status).toBe(201);
    const { id } = (await created.json()) as { id: string };
    const content = await send("GET", `${CONFIGS}/${id}/versions/1/content`);
    expect(new Uint8Array(await content.arrayBuffer())).toEqual(utf8.encode(valid));
    const refused = await send("POST", `${CONFIGS}/${id}/versions`, { content: invalid });
    expect((await readProblem(refused)).errors[0]?.path).toBe("/content/service/port");
  });

  it.each([
    ["json", "{\n 'a': 1}", { line: 2, column: 2 }],
    ["yaml", "a: 1\na: 2\n", { line: 2, column: 1 }],
    ["toml", "a = 1\na = 2\n", { line: 2, column: 1 }],
    ["properties", "a=1\nb=\\u12", { line: 2, column: 3 }],
  ])("%s that does not parse is refused with its place", async (format, content, place) => {
    const { send } = testingAdmin();
    const problem = await readProblem(await send("POST", CONFIGS, newConfig({ format, content })));
    expect(problem.errors[0]).toMatchObject({ path: "/content", ...place });
  });

  it("refuses bytes that are not UTF-8, and keeps those of a properties file", async () => {
    const { send } = testingAdmin();
    const bytes = { content: undefined, content_base64: "YT3p" };
    const text = await readProblem(await send("POST", CONFIGS, newConfig({ format: "text", ...bytes })));
    expect(text.errors[0]).toMatchObject({ line: 1, column: 3 });
    const properties = await send("POST", CONFIGS, newConfig({ format: "properties", ...bytes }));
    expect(properties.status).toBe(201);
  });

  it("bounds what deep content can cost", async () => {
    const { send } = testingAdmin();
    for (const format of ["json", "yaml"]) {
      const answer = await send("POST", CONFIGS, newConfig({ format, content: "[".repeat(1_000_000) }));
      expect((await readProblem(answer)).errors[0]?.message).toMatch(/deeper/);
    }
  });
});

describe("C12 in workerd", () => {
  it("counts a body's bytes, and repeats an idempotent write", async () => {
    const { send, app } = testingAdmin();
    const large = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1_000_000).fill(32)),
    });
    const headers = { authorization: "Bearer admin", "content-type": "application/json" };
    const answer = await app.request(CONFIGS, { method: "POST", headers, body: large });
    expect(answer.status).toBe(413);
    const key = { "x-idempotency-key": "k" };
    const first = await send("POST", CONFIGS, newConfig({ release: true }), key);
    const again = await send("POST", CONFIGS, newConfig({ release: true }), key);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    const empty = await send("POST", CONFIGS, "");
    expect((await readProblem(empty)).code).toBe("malformed_request");
  });

  it("generates the OpenAPI document", async () => {
    const { send } = testingAdmin();
    expect(await (await send("GET", "/openapi.json")).json()).toMatchObject({ openapi: "3.1.0" });
  });
});
