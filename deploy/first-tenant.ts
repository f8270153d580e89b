/**
 * `node deploy/first-tenant.ts TENANT APPLICATION USERNAME`: makes a tenant with an application and a user who may do
 * everything in it, and prints the user's password once. Repeatable: a user that is there keeps its password. With
 * `--operator` behind them the user may operate the core, too (docs/operations.md).
 */
import { randomBytes } from "node:crypto";
import { connectPostgres } from "../adapters/postgres/connect.ts";
import { ensureAdminUser, ensureOperator, ensureTenant } from "../adapters/postgres/seed-access.ts";
import { hashPassword } from "../lambdas/support/argon2id.ts";

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const PASSWORD_BYTES = 18;
const isOperator = process.argv.includes("--operator");
const [tenant = "", application = "", username = ""] = process.argv
  .slice(2)
  .filter((argument) => argument !== "--operator");
const ownerUrl = process.env["CONFLUX_OWNER_DATABASE_URL"] ?? "";
const clusterId = process.env["CONFLUX_CLUSTER_ID"] ?? "c1";

if (ownerUrl === "" || ![tenant, application, username].every((name) => NAME.test(name))) {
  console.error(
    "Set CONFLUX_OWNER_DATABASE_URL and name a tenant, an application and a user: node deploy/first-tenant.ts acme shop alice",
  );
  process.exit(1);
}
const database = connectPostgres(ownerUrl);
try {
  await ensureTenant(database, { tenant, clusterId, applications: [application] });
  const password = randomBytes(PASSWORD_BYTES).toString("base64url");
  const passwordHash = await hashPassword(password);
  const { userId, created } = await ensureAdminUser(database, { tenant, username, passwordHash });
  if (isOperator) await ensureOperator(database, userId);
  console.log(
    created ? `${username}: ${password}` : `${username} is there already and keeps the password it has`,
  );
} finally {
  await database.close();
}
