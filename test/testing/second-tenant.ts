/** A tenant beside the stack's own, made as an operator would, with a user, a config and a token of its own. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import postgres from "postgres";
import { dataPaths } from "../../dev/data-directory.ts";
import { databaseUrls } from "../../dev/database-urls.ts";
import { readMemo } from "../../dev/memo.ts";
import { loadSecrets } from "../../dev/secrets.ts";
import { WINDOW_REQUESTS_MAX } from "../../domain/quota/sliding-window.ts";
import type { Stack } from "./stack.ts";
import { admin, adminOk, type Answer } from "./stack-client.ts";

const run = promisify(execFile);

export interface SecondTenant {
  name: string;
  /** An access token of its only user. */
  accessToken: string;
  /** A client token that reads all of it. */
  clientToken: string;
  /** A request of its user at the admin API; throws unless it succeeds. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
}

/** `hasDefaultQuotas`: as any new tenant; otherwise it may send as much as the demo tenant, which a test that polls needs. */
export async function makeSecondTenant(
  stack: Stack,
  name: string,
  options: { hasDefaultQuotas?: boolean } = {},
): Promise<SecondTenant> {
  const paths = dataPaths(stack.dataDir);
  const { owner } = databaseUrls({
    ownUrl: null,
    port: readMemo(paths.memo).postgres_port ?? null,
    password: loadSecrets(paths.secrets).postgres_password,
  });
  const script = join(import.meta.dirname, "../../deploy/first-tenant.ts");
  const { stdout } = await run(process.execPath, [script, name, "shop", `${name}-admin`], {
    env: { ...process.env, CONFLUX_OWNER_DATABASE_URL: owner },
  });
  if (options.hasDefaultQuotas !== true) {
    const sql = postgres(owner, { max: 1 });
    await sql`update tenants set max_api_requests_per_minute = ${WINDOW_REQUESTS_MAX} where tenant_id = ${name}`;
    await sql.end();
  }
  const password = stdout.trim().split(": ")[1] ?? "";
  const login = await admin(stack, "POST", "/auth/login", { username: `${name}-admin`, password });
  const accessToken = String(login.json["access_token"]);
  const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
    adminOk(stack, method, path, body, { authorization: `Bearer ${accessToken}` });
  const issued = await ask("POST", "/auth/client-tokens", {
    name: "all of it",
    scopes: [`read:${name}/**`],
    ttl_seconds: 3600,
  });
  return { name, accessToken, clientToken: String(issued.json["token"]), ask };
}
