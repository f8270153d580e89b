import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  configNameOf,
  kafkaProperties,
  REAL_INPUT,
  type RealDocument,
  schemaStoreDocuments,
} from "../testing/real-input.ts";
import { admin, adminOk } from "../testing/stack-client.ts";
import { type Stack, startStack } from "../testing/stack.ts";

const NAMESPACE = { tenant: "demo", app: "real", env: "prod" };
const CONTENT_TYPES: Record<string, string> = {
  json: "application/json",
  yaml: "application/yaml",
  toml: "application/toml",
  properties: "text/plain; charset=utf-8",
  ini: "text/plain; charset=utf-8",
  xml: "application/xml",
  text: "text/plain; charset=utf-8",
  binary: "application/octet-stream",
};

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.stop());

function body({ file, format, schema }: RealDocument, name: string): Record<string, unknown> {
  return {
    ...NAMESPACE,
    name,
    format,
    content_base64: readFileSync(file).toString("base64"),
    ...(schema === null ? {} : { schema: readFileSync(schema, "utf8") }),
    release: true,
  };
}

it.each([
  ["json", "[1]\r\n"],
  ["yaml", "\uFEFFa: 1 # x\r\n"],
  ["toml", "a = 1\r\n"],
  ["properties", "a=\xe9"],
  ["ini", "[a]\r\nb = 1"],
  ["xml", "<a>\r\n</a>\n"],
  ["text", "\uFEFFx\u0000"],
  ["binary", "\xff\x00"],
])("C1 C3 E1 a config of format %s is fetched byte for byte, with its Content-Type", async (format, text) => {
  const bytes = Buffer.from(text, format === "binary" || format === "properties" ? "latin1" : "utf8");
  const name = `one-of-${format}`;
  const content_base64 = bytes.toString("base64");
  const config = { ...NAMESPACE, name, format, content_base64, release: true };
  const { json } = await adminOk(stack, "POST", "/mgt/configs", config);
  const response = await fetch(`${stack.dev.edge_url}/api/v1/fetch/config/demo/real/prod/${name}`, {
    headers: {
      authorization: `Bearer ${stack.dev.client_token}`,
      "x-conflux-min-index": String(json["index"]),
    },
  });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, CONTENT_TYPES[format]]);
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
});

describe(`C1 C3 E1 real documents through the running stack: ${REAL_INPUT}`, () => {
  it.each([...schemaStoreDocuments("valid"), ...kafkaProperties()].map((d, i) => ({ ...d, i })))(
    "$title is fetched at the edge byte for byte",
    async (document) => {
      const name = configNameOf(document.file, document.i);
      const { json } = await adminOk(stack, "POST", "/mgt/configs", body(document, name));
      const response = await fetch(`${stack.dev.edge_url}/api/v1/fetch/config/demo/real/prod/${name}`, {
        headers: {
          authorization: `Bearer ${stack.dev.client_token}`,
          "x-conflux-min-index": String(json["index"]),
        },
      });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(CONTENT_TYPES[document.format]);
      expect(Buffer.from(await response.arrayBuffer()).equals(readFileSync(document.file))).toBe(true);
    },
  );

  it("every invalid one is refused with its path, and none of them is there afterwards", async () => {
    for (const [i, document] of schemaStoreDocuments("invalid").entries()) {
      const { status, json } = await admin(stack, "POST", "/mgt/configs", body(document, `refused-${i}`));
      expect([status, json["code"]], document.title).toEqual([400, "validation_failed"]);
      const [error] = json["errors"] as { path: string }[];
      expect(error?.path, document.title).toMatch(/^\/content(\/|$)/);
    }
    const listed = await adminOk(
      stack,
      "GET",
      "/mgt/configs?tenant=demo&app=real&env=prod&name_prefix=refused-",
    );
    expect(listed.json["items"]).toEqual([]);
  });
});
