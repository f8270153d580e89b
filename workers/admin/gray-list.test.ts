import { expect, it } from "vitest";
import { testingAdmin } from "./testing-admin.ts";

const SOURCES = "/api/v1/gray/data-sources";

it("A4 P1 a list shows the columns of those alone that the caller may read", async () => {
  const admin = testingAdmin();
  for (const source of ["a", "b", "c"]) await admin.send("POST", SOURCES, { source, dm: `of ${source}` });
  const list = async (name: string, query = ""): Promise<[unknown[], string | null]> => {
    const headers = { authorization: `Bearer ${name}` };
    const answer = await admin.send("GET", SOURCES + query, undefined, headers);
    expect(answer.status).toBe(200);
    const page = await answer.json<{ items: Record<string, unknown>[]; next_cursor: string | null }>();
    return [page.items.map(({ dm }) => dm), page.next_cursor];
  };
  expect(await list("tenant")).toEqual([["of a", "of b", "of c"], null]);
  expect(await list("lister")).toEqual([["of b"], null]);
  // A page without one that may be shown leads on all the same.
  const [none, cursor] = await list("lister", "?limit=1");
  expect(none).toEqual([]);
  expect(await list("lister", `?limit=1&cursor=${encodeURIComponent(String(cursor))}`)).toEqual([
    ["of b"],
    expect.any(String),
  ]);
});
