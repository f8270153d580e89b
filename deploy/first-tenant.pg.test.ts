import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { cloneDatabase } from "../test/testing/postgres.ts";

it("L8 the first tenant's user is told a password once; again it changes nothing; bad names are refused", async () => {
  const { ownerUrl: url } = await cloneDatabase();
  const run = (...names: string[]) =>
    promisify(execFile)(process.execPath, [join(import.meta.dirname, "first-tenant.ts"), ...names], {
      env: { CONFLUX_OWNER_DATABASE_URL: url },
    });
  expect((await run("acme", "shop", "alice")).stdout).toMatch(/^alice: [\w-]{24}\n$/);
  expect((await run("acme", "shop", "alice")).stdout).toMatch(/keeps the password it has/);
  await expect(run("acme", "shop", "Robert'); --")).rejects.toMatchObject({ code: 1, stdout: "" });
});
