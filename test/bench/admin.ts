import {
  indexPermissions,
  type Permission,
  PERMISSION_ACTIONS,
  permits,
} from "../../domain/access/permits.ts";
import { PERMISSIONS_PER_USER_MAX } from "../../contracts/limits.ts";
import { admin, adminOk } from "../testing/stack-client.ts";
import { openDatabase } from "../testing/stack-keys.ts";
import { type Stack, startStack } from "../testing/stack.ts";
import { type AdminPlan, askAtOnce, type Ask, type Asked, requestFigures } from "./admin-load.ts";
import { ConfigCases } from "./admin-configs.ts";
import { type Figure, figure } from "./figures.ts";

const FULL: AdminPlan = {
  runs: 3,
  requests: 250,
  bundles: 5,
  logins: 60,
  checks: 1_000_000,
  sizes: [1_000, 10_000, 100_000],
};
const QUICK: AdminPlan = {
  runs: 1,
  requests: 200,
  bundles: 3,
  logins: 20,
  checks: 200_000,
  sizes: [100, 1_000],
};
/** One: what each region's replica has to do for a bundle would be done by the two processors that answer the requests. */
const REGIONS = "us-east-1";

const CLIENTS = 8;
/** A name's sign-ins are counted until each is known to be right: users of their own do not wait for one another. */
const SIGNING_IN = 4;
const PASSWORD = "the password of a bench";

/**
 * The admin API of the whole stack: signing in, a read and a write that need a permission, the same read for somebody who holds
 * 10,000, what a check alone costs, and the work on configs with so many of them in the tenant. Requests a second and p99 of 8 clients, each
 * with one request at a time; signing in 4, each as a user of its own; bundles of 500 configs by one. Without peers: the systems beside us have other
 * passwords, other permissions and other work behind a write, so a ratio would say nothing.
 */
export async function benchAdmin(options: { quick: boolean }): Promise<Figure[]> {
  const plan = options.quick ? QUICK : FULL;
  // Before there is a stack: it holds this thread for seconds, and would not see connections that are closed meanwhile.
  const checks = timeChecks(plan);
  const stack = await startStack({ env: { CONFLUX_REGIONS: REGIONS } });
  try {
    return [
      ...(await timeAccess(stack, plan)),
      ...checks,
      ...(await new ConfigCases(stack, plan, CLIENTS).measure()),
    ];
  } finally {
    await stack.stop();
  }
}

async function timeAccess(stack: Stack, plan: AdminPlan): Promise<Figure[]> {
  const created = await adminOk(stack, "POST", "/mgt/configs", {
    tenant: "demo",
    app: "bench",
    env: "prod",
    name: "access.json",
    format: "json",
    content: '{"n":0}',
  });
  const config = `/mgt/configs/${String(created.json["id"])}`;
  const few = await makeUser(stack, "few", [{ action: "read", resource_pattern: "demo/bench/**" }]);
  const many = await makeUser(stack, "many", manyPermissions());
  const signers = await Promise.all(
    Array.from({ length: SIGNING_IN }, (_, i) => makeUser(stack, `signer-${i}`, [])),
  );
  const signIn: Ask = async (_, client) => {
    const { username } = signers[client] ?? few;
    return admin(stack, "POST", "/auth/login", { username, password: PASSWORD }, { authorization: "" });
  };
  const read =
    (user: BenchUser): Ask =>
    () =>
      admin(stack, "GET", config, undefined, user.bearer);
  const write: Ask = (i) => admin(stack, "POST", `${config}/versions`, { content: `{"n":${i}}` });
  const cases: [name: string, clients: number, requests: number, ask: Ask][] = [
    [`login c=${SIGNING_IN}`, SIGNING_IN, plan.logins, signIn],
    [`authorised read c=${CLIENTS}`, CLIENTS, plan.requests, read(few)],
    [`authorised read c=${CLIENTS}, 10000 permissions`, CLIENTS, plan.requests, read(many)],
    [`authorised write c=${CLIENTS}`, CLIENTS, plan.requests, write],
  ];
  const figures: Figure[] = [];
  for (const [name, clients, requests, ask] of cases) {
    const runs: Asked[] = [];
    for (let run = 0; run < plan.runs; run += 1) runs.push(await askAtOnce({ clients, requests, ask }));
    figures.push(...requestFigures(name, runs));
  }
  return figures;
}

/** As many as a user may hold, of which the last one allows what is asked for. */
function manyPermissions(): Permission[] {
  const others = Array.from({ length: PERMISSIONS_PER_USER_MAX - 1 }, (_, i) => ({
    action: PERMISSION_ACTIONS[i % PERMISSION_ACTIONS.length] ?? "read",
    resource_pattern: `demo/app-${i}/prod/*`,
  }));
  return [...others, { action: "read", resource_pattern: "demo/bench/**" }];
}

interface BenchUser {
  username: string;
  bearer: { authorization: string };
}

/** A user with a role of these permissions. They go into the database at once: one by one it would be ten thousand requests. */
async function makeUser(stack: Stack, username: string, permissions: Permission[]): Promise<BenchUser> {
  const role = await adminOk(stack, "POST", "/roles", { tenant: "demo", name: username });
  const roleId = String(role.json["id"]);
  const sql = openDatabase(stack);
  try {
    const rows = permissions.map((p) => ({ ...p, tenant_id: "demo", role_id: roleId }));
    for (let i = 0; i < rows.length; i += 1_000) {
      await sql`insert into permissions ${sql(rows.slice(i, i + 1_000))}`;
    }
  } finally {
    await sql.end();
  }
  await adminOk(stack, "POST", "/users", {
    tenant: "demo",
    username,
    password: PASSWORD,
    role_ids: [roleId],
  });
  const login = await admin(
    stack,
    "POST",
    "/auth/login",
    { username, password: PASSWORD },
    { authorization: "" },
  );
  if (login.status !== 200) throw new Error(`${username} cannot sign in: ${login.text}`);
  return { username, bearer: { authorization: `Bearer ${String(login.json["access_token"])}` } };
}

/** The pure function in this process: what is held is made ready once, then asked. */
function timeChecks(plan: AdminPlan): Figure[] {
  const held = indexPermissions(manyPermissions());
  const resources = Array.from({ length: 64 }, (_, i) => `demo/app-${i * 151}/prod/config-${i}`);
  const perRun: number[] = [];
  const indexed: number[] = [];
  let allowed = 0;
  for (let run = 0; run <= plan.runs; run += 1) {
    const startMs = performance.now();
    for (let i = 0; i < plan.checks; i += 1) {
      if (permits(held, "demo", "read", resources[i % resources.length] ?? "")) allowed += 1;
    }
    const tookMs = performance.now() - startMs;
    const permissions = manyPermissions();
    const indexStartMs = performance.now();
    allowed += indexPermissions(permissions).size;
    // The first run is for the compiler.
    if (run === 0) continue;
    perRun.push((tookMs / plan.checks) * 1e6);
    indexed.push(performance.now() - indexStartMs);
  }
  if (allowed === 0) throw new Error("nothing was allowed");
  const key = { bench: "admin", case: "permission check, 10000 permissions", system: "conflux" };
  return [
    figure({ ...key, metric: "ns_per_check", unit: "ns" }, perRun),
    figure({ ...key, metric: "index_all_ms", unit: "ms" }, indexed),
  ];
}
