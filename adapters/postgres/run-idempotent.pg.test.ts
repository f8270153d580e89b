import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneDatabase } from "../../test/testing/postgres.ts";
import { IDEMPOTENCY_TTL_MS } from "../../contracts/limits.ts";
import { connectPostgres, type Database } from "./connect.ts";
import { runIdempotent } from "./run-idempotent.ts";
import { ensureTenant } from "./seed-access.ts";
import { withTenant } from "./with-tenant.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
let app: Database;
beforeAll(async () => {
  const urls = await cloneDatabase();
  const owner = connectPostgres(urls.ownerUrl);
  for (const tenant of ["demo", "other"]) await ensureTenant(owner, { tenant, clusterId: "c1" });
  await owner.close();
  app = connectPostgres(urls.appUrl);
});
afterAll(() => app.close());

let writes = 0;
function attempt(
  scope: string,
  options: { digest?: string; nowMs?: number; tenant?: string; fails?: boolean } = {},
) {
  const tenant = options.tenant ?? "demo";
  const key = { tenant, scope, digest: options.digest ?? "d", nowMs: options.nowMs ?? NOW_MS };
  return withTenant(app, tenant, (tx) =>
    runIdempotent(tx, key, async () => {
      writes += 1;
      if (options.fails === true) throw new Error("write failed");
      return Promise.resolve({ write: writes });
    }),
  );
}

describe("C12 runIdempotent", () => {
  test("a repetition gets the first result, at another tenant the write is another", async () => {
    const first = await attempt("a");
    expect(first.replayed).toBe(false);
    expect(await attempt("a")).toEqual({ result: first.result, replayed: true });
    expect((await attempt("a", { tenant: "other" })).replayed).toBe(false);
  });

  test("another body under the same key is a conflict", async () => {
    await attempt("b");
    await expect(attempt("b", { digest: "other" })).rejects.toMatchObject({ code: "idempotency_conflict" });
  });

  test("a write that failed left no key", async () => {
    await expect(attempt("c", { fails: true })).rejects.toThrow("write failed");
    expect((await attempt("c")).replayed).toBe(false);
  });

  test("of many at once one writes and all get its result", async () => {
    const before = writes;
    const answers = await Promise.all(Array.from({ length: 5 }, () => attempt("e")));
    expect(writes).toBe(before + 1);
    expect(answers.filter((a) => !a.replayed)).toHaveLength(1);
    expect(new Set(answers.map((a) => a.result.write)).size).toBe(1);
  });

  test("after its time a key is free, and the expired are cleared away", async () => {
    await attempt("f");
    expect((await attempt("f", { nowMs: NOW_MS + IDEMPOTENCY_TTL_MS + 1 })).replayed).toBe(false);
  });
});
