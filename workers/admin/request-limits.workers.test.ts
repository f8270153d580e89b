import { createExecutionContext } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { generateSigningJwk } from "../../adapters/tokens/sign-token.ts";
import { LIST_LIMIT_MAX } from "../../contracts/limits.ts";
import admin from "./main.ts";

type Schema = {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  maxLength?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  propertyNames?: Schema;
} & Partial<Record<"anyOf" | "oneOf" | "allOf", Schema[]>>;
interface Operation {
  parameters?: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** The document of the Worker that is deployed, with every route that it has. */
const env = {
  CORE_URLS: '["http://127.0.0.1:1"]',
  CORE_SERVICE_KEY: "a key of at least thirty-two bytes",
  INDEX_SIGNING_KEY: "a key of the tests alone",
  IDEMPOTENCY_KEY: "a key of the tests alone",
  REGIONS: "us-east-1",
  TOKEN_SIGNING_JWK: JSON.stringify(await generateSigningJwk()),
  TOKEN_RETIRED_JWKS: "[]",
  PASSWORD_HASH_URL: "http://127.0.0.1:1/",
  LAMBDA_SERVICE_KEY: "a key of at least thirty-two bytes",
  HYPERDRIVE: { connectionString: "postgres://nobody@127.0.0.1:1/none" },
} as unknown as Parameters<typeof admin.fetch>[1];
const request = new Request("http://admin/openapi.json") as Parameters<typeof admin.fetch>[0];
const document = await (await admin.fetch(request, env, createExecutionContext())).json<Document>();
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ key: `${method.toUpperCase()} ${path}`, operation })),
);

/** Fields that hold any JSON: a body's limit and one of its own in bytes bound them. */
const ANY_JSON = new Set(["schema"]);

/** Where a value can be as long as it likes. */
function unbounded(schema: Schema, at: string, seen: ReadonlySet<string> = new Set()): string[] {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1) ?? "";
    return seen.has(name)
      ? []
      : unbounded(document.components.schemas[name] ?? {}, at, new Set([...seen, name]));
  }
  const found: string[] = [];
  for (const kind of ["anyOf", "oneOf", "allOf"] as const) {
    for (const part of schema[kind] ?? []) found.push(...unbounded(part, at, seen));
  }
  const types = [schema.type ?? []].flat();
  const isOneOf = schema.enum !== undefined || schema.const !== undefined;
  if (types.includes("string") && !isOneOf && schema.maxLength === undefined)
    found.push(`${at}: no maxLength`);
  if (types.includes("array")) {
    if (schema.maxItems === undefined) found.push(`${at}: no maxItems`);
    found.push(...unbounded(schema.items ?? {}, `${at}[]`, seen));
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    found.push(...unbounded(property, `${at}.${name}`, seen));
  }
  if (types.includes("object") && !ANY_JSON.has(at.split(".").at(-1) ?? "")) {
    const rest = schema.additionalProperties;
    if (rest !== undefined && rest !== false) {
      if (rest === true || Object.keys(rest).length === 0) found.push(`${at}: any JSON`);
      else found.push(...unbounded(rest, `${at}.*`, seen));
      if (schema.propertyNames?.maxLength === undefined) found.push(`${at}: names without maxLength`);
    }
  }
  return found;
}

describe("A6 limits of requests", () => {
  it("there are routes, those of every feature among them", () => {
    const keys = operations.map(({ key }) => key);
    for (const key of ["POST /api/v1/mgt/configs", "POST /api/v1/auth/login", "GET /api/v1/audit-logs"]) {
      expect(keys).toContain(key);
    }
  });

  it.each(operations)("$key takes no text and no list without an end", ({ operation }) => {
    const found = (operation.parameters ?? []).flatMap((p) => unbounded(p.schema, `${p.in} ${p.name}`));
    for (const { schema } of Object.values(operation.requestBody?.content ?? {})) {
      found.push(...unbounded(schema, "body"));
    }
    expect(found).toEqual([]);
  });

  const lists = operations.filter(({ operation }) => {
    const { schema } = Object.values(operation.responses["200"]?.content ?? {})[0] ?? {};
    const name = schema?.$ref?.split("/").at(-1);
    const resolved = name === undefined ? schema : document.components.schemas[name];
    return resolved?.properties?.["next_cursor"] !== undefined;
  });
  it.each(lists)("$key takes a limit of 1 to 200 and a cursor", ({ operation }) => {
    const parameter = (name: string) =>
      operation.parameters?.find((p) => p.in === "query" && p.name === name)?.schema;
    expect(parameter("limit")).toMatchObject({ minimum: 1, maximum: LIST_LIMIT_MAX });
    expect(parameter("cursor")).toBeDefined();
  });
});
