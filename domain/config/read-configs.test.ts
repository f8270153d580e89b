import { describe, expect, it } from "vitest";
import type { Page } from "./read-configs.ts";
import { testConfigPayload } from "../command/testing-commands.ts";
import { TestingChanges } from "../change-request/testing-changes.ts";
import { LIST_CHARACTERS_MAX, SCHEMA_BYTES_MAX } from "../limits.ts";
import { listConfigs, listVersions } from "./read-configs.ts";

const SCHEMA = `"${"s".repeat(SCHEMA_BYTES_MAX - 2)}"`;
const FULL = Math.ceil(LIST_CHARACTERS_MAX / SCHEMA_BYTES_MAX);
const COUNT = 2 * FULL + 1;

/** All pages of a list, by how many items each has. */
function pages<T>(read: (cursor?: string) => Page<T>): { sizes: number[]; items: T[] } {
  const sizes: number[] = [];
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<T> = read(cursor);
    sizes.push(page.items.length);
    items.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return { sizes, items };
}

describe("C1 C2 a page of a list", () => {
  it("C1 of configs with large schemas ends before it is too large, and the next one goes on", () => {
    const t = new TestingChanges();
    t.checks = false;
    for (let i = 0; i < COUNT; i++)
      t.done("create_config", testConfigPayload(`c${100 + i}`, "a".repeat(64), { schema: SCHEMA }));
    const { sizes, items } = pages((cursor) =>
      listConfigs(t.state, { tenant: "demo", limit: 200, ...(cursor === undefined ? {} : { cursor }) }),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(FULL);
    expect(items.map(({ name }) => name)).toEqual(Array.from({ length: COUNT }, (_, i) => `c${100 + i}`));
  });

  it("C2 of versions, too", () => {
    const t = new TestingChanges();
    t.checks = false;
    const { id } = t.done("create_config", testConfigPayload("c", "a".repeat(64))).config;
    const content = { attachment: 0, sha256: "b".repeat(64) };
    for (let i = 1; i < COUNT; i++) {
      const version = { config_id: id, content, format: null, schema: SCHEMA, description: "" };
      t.done("create_version", version);
    }
    const { sizes, items } = pages((cursor) => {
      const page = listVersions(t.state, {
        config_id: id,
        limit: 200,
        ...(cursor === undefined ? {} : { cursor }),
      });
      if (!page.ok) throw new Error(page.detail);
      return page;
    });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(FULL);
    expect(items.map(({ version_id }) => version_id)).toEqual(
      Array.from({ length: COUNT }, (_, i) => COUNT - i),
    );
  });
});
