import { describe, expect, it } from "vitest";
import { newConfig, readProblem, testingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";

/** The same schema says the same of every structured format, by the value that docs/configs.md gives its documents. */
const PORT = {
  type: "object",
  required: ["port"],
  properties: { port: { pattern: "^[0-9]+$", type: "string" } },
};
const CASES: [format: string, valid: string, invalid: string, line: number, column: number][] = [
  ["json", '{"a": {"port": "80"}}', '{\n  "a": {"port": "x"}}', 2, 17],
  ["yaml", 'a:\n  port: "80"\n', "a:\n  port: x\n", 2, 9],
  ["ini", "[a]\nport = 80", "[a]\n# x\n port = x", 3, 2],
  ["xml", "<a port='80'/>", "<a\n  port='x'/>", 2, 3],
];

describe("C3 schemas of every structured format", () => {
  it.each(CASES)("%s: the place of what is wrong", async (format, valid, invalid, line, column) => {
    const { send } = testingAdmin();
    const port = format === "xml" ? JSON.parse(JSON.stringify(PORT).replaceAll('"port"', '"@port"')) : PORT;
    const schema = { required: ["a"], properties: { a: port } };
    const created = await send("POST", CONFIGS, newConfig({ format, schema, content: valid }));
    expect(created.status).toBe(201);
    const { id } = await created.json<{ id: string }>();
    const refused = await send("POST", `${CONFIGS}/${id}/versions`, { content: invalid });
    const path = format === "xml" ? "/content/a/@port" : "/content/a/port";
    expect((await readProblem(refused)).errors).toEqual([
      { path, message: expect.stringContaining("pattern"), line, column },
    ]);
  });

  it.each([
    ["toml", "[a]\nport = '80'", "[a]\nport = 80", "/content/a/port"],
    ["properties", "a.port=80", "a.port=x", "/content/a.port"],
  ])("%s: the path of what is wrong", async (format, valid, invalid, path) => {
    const { send } = testingAdmin();
    const schema = { properties: { a: PORT, "a.port": PORT.properties.port } };
    const created = await send("POST", CONFIGS, newConfig({ format, schema, content: valid }));
    const { id } = await created.json<{ id: string }>();
    const refused = await send("POST", `${CONFIGS}/${id}/versions`, { content: invalid });
    expect((await readProblem(refused)).errors[0]?.path).toBe(path);
  });

  it("a version's schema may be of another draft and counts for that version alone", async () => {
    const { send } = testingAdmin();
    const draft4 = { $schema: "http://json-schema.org/draft-04/schema#", maximum: 5, exclusiveMaximum: true };
    const created = await send("POST", CONFIGS, newConfig({ content: "4", schema: draft4 }));
    const { id } = await created.json<{ id: string }>();
    const add = (body: object) => send("POST", `${CONFIGS}/${id}/versions`, body);
    expect((await add({ content: "5" })).status).toBe(400);
    const draft6 = { $schema: "http://json-schema.org/draft-06/schema#", exclusiveMaximum: 6 };
    expect((await add({ content: "5", schema: draft6 })).status).toBe(201);
    expect((await add({ content: "6", schema: draft6 })).status).toBe(400);
    expect((await add({ content: "5" })).status).toBe(400);
  });

  it.each(["text", "binary"])("%s cannot have one", async (format) => {
    const { send } = testingAdmin();
    const answer = await send("POST", CONFIGS, newConfig({ format, schema: {} }));
    expect((await readProblem(answer)).errors[0]?.path).toBe("/schema");
  });
});
