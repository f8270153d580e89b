/**
 * Applies `migrations/NNNN_name.sql`, each in a transaction of its own that also records its checksum.
 * Invariant: what is recorded is a prefix of the files, byte for byte. A changed, vanished or squeezed-in file is refused
 * before anything runs, because the databases that have run it would differ from those that have not.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { CONNECT_TIMEOUT_S } from "./connect.ts";

const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;
/** Any number that nothing else of ours locks: two runners wait for each other. */
const LOCK_KEY = 4_850_193_311;
const LOCK_TIMEOUT_MS = 60_000;

export interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

/** Refused before anything ran: the files and the database's record of them disagree. */
export class MigrationRefusedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MigrationRefusedError";
  }
}

/** The migrations of a directory in order. Refuses two files of one number and files that are not named for it. */
export async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".sql")).toSorted();
  const migrations: Migration[] = [];
  for (const [i, name] of names.entries()) {
    const number = FILE_NAME.exec(name)?.[1];
    if (number === undefined) throw new MigrationRefusedError(`${name} is not named NNNN_name.sql`);
    if (names[i - 1]?.startsWith(`${number}_`)) {
      throw new MigrationRefusedError(`${names[i - 1]} and ${name} have the same number`);
    }
    const sql = await readFile(join(directory, name), "utf8");
    migrations.push({ name, sql, checksum: createHash("sha256").update(sql).digest("hex") });
  }
  return migrations;
}

/**
 * Brings the database at `url` (as its owner) up to date and answers the names it applied; none on a second run.
 * Runs that overlap wait for each other. Throws `MigrationRefusedError` as above, and the database's error when a file
 * fails: that file is then rolled back and those before it stand.
 */
export async function migrate(input: { url: string; directory: string }): Promise<string[]> {
  const migrations = await readMigrations(input.directory);
  const client = postgres(input.url, {
    max: 1,
    connect_timeout: CONNECT_TIMEOUT_S * 10,
    onnotice: () => undefined,
  });
  try {
    await client`select set_config('lock_timeout', ${String(LOCK_TIMEOUT_MS)}, false)`;
    await client`select pg_advisory_lock(${LOCK_KEY})`;
    await client`create table if not exists conflux_migrations (
      name text primary key, checksum text not null, applied_at timestamptz not null default now())`;
    const applied = await client<{ name: string; checksum: string }[]>`
      select name, checksum from conflux_migrations order by name`;
    const pending = refuseDrift(migrations, applied);
    for (const migration of pending) {
      await client.begin(async (tx) => {
        await tx.unsafe(migration.sql);
        await tx`insert into conflux_migrations (name, checksum) values (${migration.name}, ${migration.checksum})`;
      });
    }
    return pending.map((m) => m.name);
  } finally {
    // Ends the session, and with it the lock.
    await client.end({ timeout: 1 });
  }
}

/** The migrations still to run, after making sure that those recorded are exactly the first of the files. */
function refuseDrift(
  migrations: readonly Migration[],
  applied: readonly { name: string; checksum: string }[],
): Migration[] {
  for (const [i, row] of applied.entries()) {
    const file = migrations[i];
    if (!migrations.some((m) => m.name === row.name)) {
      throw new MigrationRefusedError(`${row.name} was applied to this database and is no longer there`);
    }
    if (file?.name !== row.name) {
      throw new MigrationRefusedError(
        `${file?.name} stands before ${row.name}, which this database already has: add migrations at the end`,
      );
    }
    if (file.checksum !== row.checksum) {
      throw new MigrationRefusedError(`${row.name} was changed after it was applied: add a new file instead`);
    }
  }
  return migrations.slice(applied.length);
}
