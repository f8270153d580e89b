import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { expect, inject, test } from "vitest";
import { migrate } from "../../adapters/postgres/migrate.ts";
import { prepareDatabase } from "../../dev/prepare-database.ts";
import { olderDatabase } from "../testing/older-database.ts";
import { MIGRATIONS_DIRECTORY } from "../testing/postgres.ts";

test("L9 A2 tenants that were deleted before are marked by their rows of the audit, by an owner who is no superuser", async () => {
  const server = inject("postgresUrl");
  const { role, url, inside, superuser } = await olderDatabase(server, "0013");
  await inside`insert into clusters (id) values ('c1')`;
  await inside`insert into tenants (tenant_id, cluster_id) values ('anew', 'c1'), ('here', 'c1')`;
  const audited = (tenant: string, action: string, outcome: string, summary: string) =>
    inside`insert into audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome, trace_id, summary, created_at)
      values (${tenant}, 'user', '', '', '', ${action}, '_system/tenants', ${outcome}, '', ${summary}, '2026-11-01T00:00:00Z')`;
  await audited("_system", "delete", "success", "deleted tenant gone");
  await audited("_system", "delete", "success", "deleted tenant gone");
  await audited("_system", "delete", "success", "deleted tenant anew");
  await audited("_system", "delete", "denied", "deleted tenant refused");
  await audited("_system", "write", "success", "made tenant here with administrator deleted tenant x");
  await audited("here", "delete", "success", "deleted tenant claimed");
  await migrate({ url: url.href, directory: MIGRATIONS_DIRECTORY });
  const marks = () => inside`select tenant_id, deleted_at from deleted_tenants order by 1`;
  expect(await marks()).toEqual([{ tenant_id: "gone", deleted_at: new Date("2026-11-01T00:00:00Z") }]);
  const forced = await inside`select relname from pg_class where relforcerowsecurity
    and relname in ('audit_logs', 'deleted_tenants', 'tenants') order by 1`;
  expect(forced.map(({ relname }) => relname as string)).toEqual([
    "audit_logs",
    "deleted_tenants",
    "tenants",
  ]);

  // From now on the database does it itself, whoever deletes; not even the owner can lack a mark.
  const owner = postgres(url.href, { max: 1 });
  await owner.begin(async (tx) => {
    await tx`select set_config('conflux.tenant_id', 'anew', true)`;
    await tx`delete from tenants where tenant_id = 'anew'`;
  });
  expect((await marks()).map((mark) => mark["tenant_id"] as string)).toEqual(["anew", "gone"]);
  // A local stack whose demo tenant was deleted says what there is to do.
  await inside`insert into deleted_tenants (tenant_id) values ('demo')`;
  const superusers = new URL(url);
  superusers.username = new URL(server).username;
  const urls = { owner: superusers.href, app: url.href, maintenance: null };
  const memoPath = join(tmpdir(), `${role}.json`);
  const input = { urls, password: "x", memoPath, migrationsDir: MIGRATIONS_DIRECTORY };
  await expect(prepareDatabase(input)).rejects.toThrow(/demo was deleted.*remove the whole data directory/u);
  await Promise.all([superuser.end(), inside.end(), owner.end()]);
});
