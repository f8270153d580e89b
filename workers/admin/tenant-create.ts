import type { OpenAPIHono } from "@hono/zod-openapi";
import type { z } from "zod";
import { ulid } from "ulid";
import { createUser } from "../../adapters/postgres/create-user.ts";
import { ensureAdminRole, grantRole } from "../../adapters/postgres/grant-role.ts";
import { chooseCluster, insertTenant } from "../../adapters/postgres/tenant-rows.ts";
import { findUserByName } from "../../adapters/postgres/user-rows.ts";
import { setTenant, type Transaction } from "../../adapters/postgres/with-tenant.ts";
import { createTenantRequest, type TenantView, tenantView } from "../../contracts/access/tenants-api.ts";
import { createHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { quotasOf, TENANTS_PATH, TENANTS_RESOURCE, tenantResource, viewTenant } from "./tenant-views.ts";
import { writeAccess } from "./write-access.ts";

type Request = z.infer<typeof createTenantRequest>;

const route = declareRoute(
  { action: "write", resource: TENANTS_RESOURCE },
  {
    method: "post",
    path: TENANTS_PATH,
    tags: ["access"],
    summary: "Make a tenant, with a user who may do everything in it",
    description:
      "409 already_exists when there is one of this name, or was: the audit of a deleted tenant stays under its name, which is therefore not given again.",
    request: { headers: createHeaders, body: { required: true, content: json(createTenantRequest) } },
    responses: { 201: { description: "Made, and ready for use", content: json(tenantView) } },
  },
);

/** `POST /tenants`. */
export function registerTenantCreate(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const request = c.req.valid("json");
    await requireDeclared(c);
    const { password } = request.admin;
    const { traceparent } = c.var;
    const passwordHash = password === undefined ? null : await deps.passwords.hash({ password, traceparent });
    const resource = tenantResource(request.name);
    const write = { tenant: SYSTEM_TENANT, action: "write", resource } as const;
    const view = await writeAccess(c, deps, write, async (tx) => ({
      result: await makeTenant(tx, request, { passwordHash, nowMs: deps.nowMs() }),
      summary: `made tenant ${request.name} with administrator ${request.admin.username}`,
    }));
    c.header("etag", view.etag);
    c.header("location", `${TENANTS_PATH}/${view.name}`);
    return c.json(view, 201);
  });
}

async function makeTenant(
  tx: Transaction,
  request: Request,
  input: { passwordHash: string | null; nowMs: number },
): Promise<TenantView> {
  const tenant = request.name;
  const clusterId = await chooseCluster(tx, request.cluster_id);
  await setTenant(tx, tenant);
  const row = await insertTenant(tx, { tenant, clusterId, quotas: quotasOf(request) });
  if (row === null) throw new ConfluxError("already_exists", `There is a tenant ${tenant}.`);
  const userId = await administrator(tx, request.admin, input);
  const roleId = await ensureAdminRole(tx, tenant, ulid(input.nowMs));
  await grantRole(tx, { tenant, userId, roleId });
  return viewTenant(row);
}

/** The id of the user named: a new one when there is a password for it, else one who is there. */
async function administrator(
  tx: Transaction,
  admin: Request["admin"],
  { passwordHash, nowMs }: { passwordHash: string | null; nowMs: number },
): Promise<string> {
  if (passwordHash !== null) {
    const id = `usr_${ulid(nowMs)}`;
    const email = admin.email === undefined ? {} : { email: admin.email };
    await createUser(tx, { id, username: admin.username, passwordHash, ...email });
    return id;
  }
  const user = await findUserByName(tx, admin.username);
  if (user?.isActive === true) return user.id;
  throw new ConfluxError("validation_failed", "There is no active user of this name.", {
    errors: [{ path: "/admin/username", message: "an active user, or one to be made with a password" }],
  });
}
