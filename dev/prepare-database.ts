import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { connectPostgres, type Database } from "../adapters/postgres/connect.ts";
import { migrate } from "../adapters/postgres/migrate.ts";
import { ensureAdminUser, ensureOperator, ensureTenant } from "../adapters/postgres/seed-access.ts";
import { setAppPassword } from "../adapters/postgres/set-app-password.ts";
import { CONTENT_BYTES_MAX } from "../contracts/limits.ts";
import { ConfluxError } from "../contracts/problem/error-codes.ts";
import { WINDOW_REQUESTS_MAX } from "../domain/quota/sliding-window.ts";
import { hashPassword } from "../lambdas/support/argon2id.ts";
import { ADMIN_USERNAME, CLUSTER_ID, DEMO_TENANT } from "./names.ts";
import { DATABASE_NAME, type DatabaseUrls } from "./database-urls.ts";
import { readMemo, remember } from "./memo.ts";

const DUPLICATE_DATABASE = "42P04";
/** Nobody shares this machine with the demo tenant: it gets what the system can do. */
const DEMO_QUOTAS = {
  maxConfigs: 1_000_000,
  maxConfigSizeBytes: CONTENT_BYTES_MAX,
  maxApiRequestsPerMinute: WINDOW_REQUESTS_MAX,
};

export interface PreparationInput {
  urls: DatabaseUrls;
  /** Of the application's role. */
  password: string;
  memoPath: string;
  migrationsDir: string;
}

export interface FirstAccess {
  adminUserId: string;
  /** The admin's first password while nobody has been shown it. */
  unprintedPassword: string | null;
}

async function ensureDemoTenant(database: Database): Promise<void> {
  try {
    await ensureTenant(database, {
      tenant: DEMO_TENANT,
      clusterId: CLUSTER_ID,
      applications: ["shop"],
      quotas: DEMO_QUOTAS,
    });
  } catch (error) {
    if (!(error instanceof ConfluxError && error.code === "already_exists")) throw error;
    throw new Error(
      `the tenant ${DEMO_TENANT} was deleted, and the name of a deleted tenant is given to nobody: remove the whole data directory to start anew`,
      { cause: error },
    );
  }
}

/**
 * Makes the database where it is missing, migrates it, lets the application's role in, and makes the tenant and its
 * first user. Repeatable: what is there stays. Rejects when that tenant was deleted.
 */
export async function prepareDatabase(input: PreparationInput): Promise<FirstAccess> {
  const { urls, password, memoPath } = input;
  if (urls.maintenance !== null) await createDatabase(urls.maintenance);
  await migrate({ url: urls.owner, directory: input.migrationsDir });
  await setAppPassword({ ownerUrl: urls.owner, password });
  const database = connectPostgres(urls.owner);
  try {
    await ensureDemoTenant(database);
    // Remembered before the user is made: a start that ends in between must still be able to show it.
    const remembered = readMemo(memoPath).unprinted_password;
    const first = remembered ?? randomBytes(12).toString("base64url");
    remember(memoPath, { unprinted_password: first });
    const { userId, created } = await ensureAdminUser(database, {
      tenant: DEMO_TENANT,
      username: ADMIN_USERNAME,
      passwordHash: await hashPassword(first),
    });
    await ensureOperator(database, userId);
    const isUnprinted = created || remembered !== undefined;
    if (!isUnprinted) remember(memoPath, { unprinted_password: undefined });
    return { adminUserId: userId, unprintedPassword: isUnprinted ? first : null };
  } finally {
    await database.close();
  }
}

async function createDatabase(maintenanceUrl: string): Promise<void> {
  const sql = postgres(maintenanceUrl, { max: 1 });
  try {
    await sql.unsafe(`create database ${DATABASE_NAME}`);
  } catch (error) {
    if (!(error instanceof postgres.PostgresError) || error.code !== DUPLICATE_DATABASE) throw error;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
