import { copyFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { migrate } from "../../adapters/postgres/migrate.ts";
import { createDatabase, databaseUrl, MIGRATIONS_DIRECTORY } from "./postgres.ts";

/**
 * A database as it was before the migration whose number is given, of an owner who is no superuser: `url` is the owner's, and
 * `inside` a superuser's in it. The caller ends both connections.
 */
export async function olderDatabase(
  server: string,
  before: string,
): Promise<{ role: string; url: URL; inside: Sql; superuser: Sql }> {
  const superuser = postgres(server, { max: 1, onnotice: () => undefined });
  const role = `owner_${crypto.randomUUID().replaceAll("-", "")}`;
  await superuser.unsafe(`create role ${role} login createrole`);
  await superuser.unsafe(
    `grant conflux_app, conflux_login to ${role} with admin true, inherit false, set false`,
  );
  const url = new URL(databaseUrl(server, await createDatabase(`owner ${role}`)));
  const inside = postgres(url.href, { max: 1 });
  url.username = role;
  const directory = await mkdtemp(join(tmpdir(), "conflux-migrations-"));
  for (const file of await readdir(MIGRATIONS_DIRECTORY)) {
    if (file.endsWith(".sql") && file < before)
      await copyFile(join(MIGRATIONS_DIRECTORY, file), join(directory, file));
  }
  await migrate({ url: url.href, directory });
  await rm(directory, { recursive: true });
  return { role, url, inside, superuser };
}
