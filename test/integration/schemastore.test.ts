import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  newConfig,
  readProblem,
  testingAdmin,
  type TestingAdmin,
} from "../../workers/admin/testing-admin.ts";

/**
 * Real schemas with real documents. All of them when the shared data lies beside the repository (or where
 * CONFLUX_SHARED_DATA says), otherwise the few that are committed.
 */
const ROOT = join(import.meta.dirname, "../..");
const shared = process.env["CONFLUX_SHARED_DATA"] ?? join(ROOT, "../shared/data");
const data = existsSync(join(shared, "schemastore")) ? shared : join(ROOT, "test/fixtures");
const FORMATS: Record<string, string> = { ".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml" };

interface Sample {
  schema: string;
  file: string;
  kind: "valid" | "invalid";
}

function samples(kind: Sample["kind"]): Sample[] {
  const root = join(data, "schemastore");
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, entry.name, kind)))
    .flatMap(({ name }) =>
      readdirSync(join(root, name, kind)).map((file) => ({
        schema: join(root, name, "schema.json"),
        file: join(root, name, kind, file),
        kind,
      })),
    );
}

function body(file: string, name: string, schema?: string): Record<string, unknown> {
  const bytes = readFileSync(file);
  const format = FORMATS[extname(file)] ?? "properties";
  const { content: _content, ...rest } = newConfig({ name, format });
  return { ...rest, content_base64: bytes.toString("base64"), ...(schema === undefined ? {} : { schema }) };
}

describe(`C3 schemas and documents of ${data === shared ? "the whole set" : "the committed subset (no shared data here)"}`, () => {
  let admin: TestingAdmin;
  let count = 0;
  beforeAll(() => {
    admin = testingAdmin();
  });

  it.each(samples("valid").map((s) => [s.file.slice(data.length + 1), s] as const))(
    "%s becomes a config and comes back byte for byte",
    async (_, { file, schema }) => {
      const name = `v${count++}-${basename(file)
        .replaceAll(/[^A-Za-z0-9.]/g, "-")
        .replaceAll("..", ".")}`;
      const created = await admin.send(
        "POST",
        "/api/v1/mgt/configs",
        body(file, name, readFileSync(schema, "utf8")),
      );
      expect(await created.clone().json()).toMatchObject({ latest_version_id: 1 });
      const { id } = (await created.json()) as { id: string };
      const content = await admin.send("GET", `/api/v1/mgt/configs/${id}/versions/1/content`);
      expect(Buffer.from(await content.arrayBuffer()).equals(readFileSync(file))).toBe(true);
    },
  );

  it.each(samples("invalid").map((s) => [s.file.slice(data.length + 1), s] as const))(
    "%s is refused with the path",
    async (_, { file, schema }) => {
      const before = (await admin.core.status()).nodes[0]?.last_applied;
      const request = body(file, `i${count++}`, readFileSync(schema, "utf8"));
      const answer = await admin.send("POST", "/api/v1/mgt/configs", request);
      expect(answer.status).toBe(400);
      const problem = await readProblem(answer);
      expect(problem.code).toBe("validation_failed");
      expect(problem.errors.length).toBeGreaterThan(0);
      for (const error of problem.errors) expect(error.path).toMatch(/^\/content(\/|$)/);
      expect((await admin.core.status()).nodes[0]?.last_applied).toBe(before);
    },
  );
});

describe("C3 properties files of Kafka", () => {
  const root = join(data, "kafka");
  const files = readdirSync(root).filter((file) => file.endsWith(".properties"));
  it.each(files)("%s goes in and the same bytes come out", async (file) => {
    const admin = testingAdmin();
    const created = await admin.send("POST", "/api/v1/mgt/configs", body(join(root, file), file));
    expect(created.status).toBe(201);
    const { id } = (await created.json()) as { id: string };
    const content = await admin.send("GET", `/api/v1/mgt/configs/${id}/versions/1/content`);
    expect(content.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(Buffer.from(await content.arrayBuffer()).equals(readFileSync(join(root, file)))).toBe(true);
  });
});
