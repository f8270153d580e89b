import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import {
  newConfig,
  readProblem,
  testingAdmin,
  type TestingAdmin,
} from "../../workers/admin/testing-admin.ts";
import {
  configNameOf,
  kafkaProperties,
  openApiDocuments,
  REAL_INPUT,
  type RealDocument,
  schemaStoreDocuments,
} from "../testing/real-input.ts";

const CONFIGS = "/api/v1/mgt/configs";

function body({ file, format, schema }: RealDocument, serial: number): Record<string, unknown> {
  const { content: _content, ...rest } = newConfig({ name: configNameOf(file, serial), format });
  const content_base64 = readFileSync(file).toString("base64");
  return { ...rest, content_base64, ...(schema === null ? {} : { schema: readFileSync(schema, "utf8") }) };
}

describe(`C3 real documents: ${REAL_INPUT}`, () => {
  let admin: TestingAdmin;
  let serial = 0;
  beforeAll(() => {
    admin = testingAdmin();
  });

  it.each([...schemaStoreDocuments("valid"), ...kafkaProperties(), ...openApiDocuments()])(
    "$title becomes a config and comes back byte for byte",
    async (document) => {
      const created = await admin.send("POST", CONFIGS, body(document, serial++));
      expect(await created.clone().json()).toMatchObject({ latest_version_id: 1 });
      const { id } = (await created.json()) as { id: string };
      const content = await admin.send("GET", `${CONFIGS}/${id}/versions/1/content`);
      expect(Buffer.from(await content.arrayBuffer()).equals(readFileSync(document.file))).toBe(true);
    },
  );

  it.each(schemaStoreDocuments("invalid"))("$title is refused with the path", async (document) => {
    const before = (await admin.core.status()).nodes[0]?.last_applied;
    const answer = await admin.send("POST", CONFIGS, body(document, serial++));
    expect(answer.status).toBe(400);
    const problem = await readProblem(answer);
    expect(problem.code).toBe("validation_failed");
    expect(problem.errors.length).toBeGreaterThan(0);
    for (const error of problem.errors) expect(error.path).toMatch(/^\/content(\/|$)/);
    expect((await admin.core.status()).nodes[0]?.last_applied).toBe(before);
  });
});
