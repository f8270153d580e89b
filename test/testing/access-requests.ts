/** One valid request for each route of the admin API, made of things of one tenant: what the matrix of access sends. */

/** The typed configs, and a body of each. */
export const GRAY_BODIES = {
  "data-sources": (name: string) => ({ source: name }),
  "api-records": (name: string) => ({ gateway_code: name, api_version: "1", api_name: "a" }),
  "api-metas": (name: string) => ({ gateway_code: name, api_version: "1", api_name: "a" }),
} as const;
export type GrayResourceName = keyof typeof GRAY_BODIES;

/** Makes what a request is about. `ghost` ones make nothing and answer names that nobody has. */
export interface Maker {
  tenant: string;
  /** A name or key that was never used. */
  unique(): string;
  config(): Promise<string>;
  publish(): Promise<string>;
  /** A typed config of the kind that stands below `/gray/` under this name, with a version that is published. */
  typed(resource: GrayResourceName): Promise<string>;
  /** One of a content, so that each of its routes has something to answer. */
  changeRequest(): Promise<{ id: string; digest: string }>;
  application(): Promise<string>;
  role(): Promise<string>;
  group(): Promise<string>;
  /** A user who holds `role`, or is in `group`. */
  user(of: { role?: string; group?: string }): Promise<string>;
  /** Lets a role allow write on `{tenant}/matrix/**`. */
  permission(role: string): Promise<void>;
  groupRole(group: string, role: string): Promise<void>;
  clientToken(): Promise<string>;
  refreshToken(): Promise<string>;
}
export interface MatrixRequest {
  path: string;
  body?: unknown;
  /** What an allowed request may answer besides success: the core in memory has one node and no backups. */
  mayRefuse?: boolean;
  /** Ends the caller's own session, which then needs another one. */
  endsSession?: boolean;
}
type Build = (make: Maker) => Promise<MatrixRequest> | MatrixRequest;

const at = (path: string, body?: unknown): MatrixRequest => (body === undefined ? { path } : { path, body });
const ofConfig =
  (rest: string, body?: unknown): Build =>
  async (make) =>
    at(`/mgt/configs/${await make.config()}${rest}`, body);
const cluster =
  (path: string, body?: unknown): Build =>
  () => ({ ...at(`/mgt/cluster/${path}`, body), mayRefuse: true });
const inTenant =
  (path: string): Build =>
  (make) =>
    at(`${path}${path.includes("?") ? "&" : "?"}tenant=${make.tenant}`);
const byRole =
  (rest: string, body?: unknown): Build =>
  async (make) =>
    at(`/roles/${await make.role()}${rest}`, body);
const byGroup =
  (rest: string, body?: unknown): Build =>
  async (make) =>
    at(`/user-groups/${await make.group()}${rest}`, body);
const canary = {
  version_id: 1,
  strategy: { type: "canary", canary_labels: { canary: "true" } },
};

const CONFIGS: Record<string, Build> = {
  "POST /mgt/configs": (make) =>
    at("/mgt/configs", {
      tenant: make.tenant,
      app: "shop",
      env: "prod",
      name: make.unique(),
      format: "json",
      content: "{}",
    }),
  "GET /mgt/configs": inTenant("/mgt/configs?app=shop&env=prod"),
  "GET /mgt/configs/{id}": ofConfig(""),
  "DELETE /mgt/configs/{id}": ofConfig(""),
  "PUT /mgt/configs/{id}/retention": ofConfig("/retention", { count: 10 }),
  "GET /mgt/configs/{id}/versions": ofConfig("/versions"),
  "POST /mgt/configs/{id}/versions": ofConfig("/versions", { content: "{}", description: "next" }),
  "GET /mgt/configs/{id}/versions/{version}": ofConfig("/versions/1"),
  "GET /mgt/configs/{id}/versions/{version}/content": ofConfig("/versions/1/content"),
  "GET /mgt/configs/{id}/releases": ofConfig("/releases"),
  "PUT /mgt/configs/{id}/releases": ofConfig("/releases", [{ labels: {}, version_id: 1, priority: 0 }]),
  "POST /mgt/configs/{id}/rollback": ofConfig("/rollback", { version_id: 1 }),
  "GET /mgt/configs/{id}/resolve": ofConfig("/resolve"),
  "POST /mgt/releases:batch": async (make) =>
    at("/mgt/releases:batch", { items: [{ config_id: await make.config(), default_version_id: 1 }] }),
  "GET /mgt/export": inTenant("/mgt/export?app=shop&env=prod"),
  "POST /mgt/apply": (make) =>
    at("/mgt/apply", {
      bundle: { id: "matrix", tenant: make.tenant, app: "shop", env: "prod" },
      configs: [{ name: make.unique(), format: "json", content: "{}" }],
    }),
  "GET /mgt/configs/{id}/diff": ofConfig("/diff?from=1&to=1"),
  "POST /mgt/encryption/rewrap": (make) => ({
    ...at("/mgt/encryption/rewrap", { tenant: make.tenant, app: "shop", env: "prod", name: "any.json" }),
    mayRefuse: true,
  }),
  "POST /mgt/configs/{id}/publish": ofConfig("/publish", canary),
  "GET /mgt/configs/{id}/publishes": ofConfig("/publishes"),
  "GET /mgt/configs/{id}/publish-history": ofConfig("/publish-history"),
  "GET /gray/publish-history": inTenant("/gray/publish-history?app=shop&env=prod"),
  "GET /mgt/publishes/{pid}": async (make) => at(`/mgt/publishes/${await make.publish()}`),
  "POST /mgt/publishes/{pid}/advance": async (make) => at(`/mgt/publishes/${await make.publish()}/advance`),
  "POST /mgt/publishes/{pid}/pause": async (make) => at(`/mgt/publishes/${await make.publish()}/pause`),
  // Refused, since the plan is not paused.
  "POST /mgt/publishes/{pid}/resume": async (make) => ({
    ...at(`/mgt/publishes/${await make.publish()}/resume`),
    mayRefuse: true,
  }),
  // Refused, since the stage waits for no approval.
  "POST /mgt/publishes/{pid}/approve": async (make) => ({
    ...at(`/mgt/publishes/${await make.publish()}/approve`),
    mayRefuse: true,
  }),
  "POST /mgt/publishes/{pid}/abort": async (make) => at(`/mgt/publishes/${await make.publish()}/abort`),
  "GET /mgt/configs/{id}/delivery": ofConfig("/delivery"),
  "GET /mgt/configs/{id}/delivery/clients": ofConfig("/delivery/clients"),
  "GET /mgt/delivery/dead-configs": inTenant("/mgt/delivery/dead-configs?app=shop&env=prod"),
};

const inChange =
  (rest: string, body?: (digest: string) => unknown): Build =>
  async (make) => {
    const { id, digest } = await make.changeRequest();
    return at(`/mgt/change-requests/${id}${rest}`, body?.(digest));
  };
const deletion = { type: "delete" };

const CHANGES: Record<string, Build> = {
  "GET /mgt/change-rules": inTenant("/mgt/change-rules"),
  "PUT /mgt/change-rules": (make) =>
    at(`/mgt/change-rules?tenant=${make.tenant}`, { approvals: [], freezes: [] }),
  "POST /mgt/change-requests": async (make) =>
    at("/mgt/change-requests", { config_id: await make.config(), operation: deletion }),
  "GET /mgt/change-requests": inTenant("/mgt/change-requests?app=shop&env=prod"),
  "GET /mgt/change-requests/{crid}": inChange(""),
  "GET /mgt/change-requests/{crid}/content": inChange("/content"),
  // Its author alone edits and withdraws one.
  "PUT /mgt/change-requests/{crid}": async (make) => ({
    ...(await inChange("", () => ({ operation: deletion }))(make)),
    mayRefuse: true,
  }),
  "POST /mgt/change-requests/{crid}/withdraw": async (make) => ({
    ...(await inChange("/withdraw", () => ({}))(make)),
    mayRefuse: true,
  }),
  "POST /mgt/change-requests/{crid}/approve": inChange("/approve", (digest) => ({ digest })),
  "POST /mgt/change-requests/{crid}/reject": inChange("/reject", () => ({})),
  "POST /mgt/change-requests/{crid}/execute": inChange("/execute", (digest) => ({ digest })),
};

const CLUSTER: Record<string, Build> = {
  "GET /mgt/cluster/status": cluster("status"),
  "POST /mgt/cluster/add-node": cluster("add-node", { node_id: 9, raft_address: "h:7504" }),
  "POST /mgt/cluster/remove-node": cluster("remove-node", { node_id: 9 }),
  "POST /mgt/cluster/transfer-leader": cluster("transfer-leader", { target_node_id: 9 }),
  "POST /mgt/cluster/snapshot": cluster("snapshot"),
  "GET /mgt/cluster/backups": cluster("backups"),
  "POST /mgt/cluster/backups": cluster("backups"),
  "POST /mgt/cluster/backups/{backup_id}/drill": cluster("backups/nothing/drill"),
  "GET /mgt/cluster/jobs/{job_id}": cluster("jobs/nothing"),
  "POST /mgt/cluster/restore-from-backup": cluster("restore-from-backup", { backup_id: "nothing" }),
};

const TENANTS: Record<string, Build> = {
  "POST /tenants": (make) => at("/tenants", { name: make.unique(), admin: { username: "maker-demo" } }),
  "GET /tenants": () => at("/tenants"),
  "GET /tenants/{tenant}": (make) => at(`/tenants/${make.tenant}`),
  "PATCH /tenants/{tenant}": (make) => at(`/tenants/${make.tenant}`, {}),
  // Refused while there are configs, which is what is wanted of it here.
  "DELETE /tenants/{tenant}": (make) => ({ ...at(`/tenants/${make.tenant}`), mayRefuse: true }),
  "POST /applications": (make) => at("/applications", { tenant: make.tenant, name: make.unique() }),
  "GET /applications": inTenant("/applications"),
  "GET /applications/{id}": async (make) => at(`/applications/${await make.application()}`),
  "PATCH /applications/{id}": async (make) => at(`/applications/${await make.application()}`, {}),
  "DELETE /applications/{id}": async (make) => at(`/applications/${await make.application()}`),
};

const USERS: Record<string, Build> = {
  "POST /users": async (make) =>
    at("/users", {
      tenant: make.tenant,
      username: make.unique(),
      password: "correct horse",
      role_ids: [await make.role()],
    }),
  "GET /users": inTenant("/users"),
  "GET /users/{id}": async (make) => userPath(make, await make.user({ role: await make.role() })),
  "PATCH /users/{id}": async (make) => ({
    ...userPath(make, await make.user({ role: await make.role() })),
    body: { is_active: true },
  }),
  "DELETE /users/{id}": async (make) => userPath(make, await make.user({ role: await make.role() })),
};
const userPath = (make: Maker, id: string): MatrixRequest => at(`/users/${id}?tenant=${make.tenant}`);

const ROLES: Record<string, Build> = {
  "POST /roles": (make) => at("/roles", { tenant: make.tenant, name: make.unique() }),
  "GET /roles": inTenant("/roles"),
  "GET /roles/{id}": byRole(""),
  "PATCH /roles/{id}": byRole("", {}),
  "DELETE /roles/{id}": byRole(""),
  "GET /roles/{id}/permissions": byRole("/permissions"),
  "POST /roles/{id}/permissions": async (make) =>
    at(`/roles/${await make.role()}/permissions`, {
      action: "write",
      resource_pattern: `${make.tenant}/matrix/**`,
    }),
  "DELETE /roles/{id}/permissions": async (make) => {
    const role = await make.role();
    await make.permission(role);
    return at(`/roles/${role}/permissions?action=write&resource_pattern=${make.tenant}/matrix/**`);
  },
  "GET /roles/{id}/users": byRole("/users"),
  "POST /roles/{id}/users": byRole("/users", { username: "maker-demo" }),
  "DELETE /roles/{id}/users/{target_id}": async (make) => {
    const role = await make.role();
    return at(`/roles/${role}/users/${await make.user({ role })}`);
  },
};

const GROUPS: Record<string, Build> = {
  "POST /user-groups": (make) => at("/user-groups", { tenant: make.tenant, name: make.unique() }),
  "GET /user-groups": inTenant("/user-groups"),
  "GET /user-groups/{id}": byGroup(""),
  "PATCH /user-groups/{id}": byGroup("", {}),
  "DELETE /user-groups/{id}": byGroup(""),
  "GET /user-groups/{id}/members": byGroup("/members"),
  "POST /user-groups/{id}/members": byGroup("/members", { username: "maker-demo" }),
  "DELETE /user-groups/{id}/members/{target_id}": async (make) => {
    const group = await make.group();
    return at(`/user-groups/${group}/members/${await make.user({ group })}`);
  },
  "GET /user-groups/{id}/roles": byGroup("/roles"),
  "POST /user-groups/{id}/roles": async (make) =>
    at(`/user-groups/${await make.group()}/roles`, { role_id: await make.role() }),
  "DELETE /user-groups/{id}/roles/{target_id}": async (make) => {
    const [group, role] = [await make.group(), await make.role()];
    await make.groupRole(group, role);
    return at(`/user-groups/${group}/roles/${role}`);
  },
};

/** Looks like a code and opens nothing. */
const NO_CODE = "x".repeat(43);

const SIGNING_IN: Record<string, Build> = {
  "POST /auth/logout": async (make) => at("/auth/logout", { refresh_token: await make.refreshToken() }),
  "POST /auth/logout-all": () => ({ ...at("/auth/logout-all", {}), endsSession: true }),
  "POST /auth/password": () => ({
    ...at("/auth/password", { current: "correct horse", new: "correct horse battery" }),
    endsSession: true,
  }),
  "POST /auth/unlock": (make) =>
    at("/auth/unlock", { username: `maker-${make.tenant}`, tenant: make.tenant }),
  "POST /auth/break-glass": () => at("/auth/break-glass", { code: NO_CODE }),
  "GET /auth/oidc/start": () => at("/auth/oidc/start"),
  "GET /auth/oidc/callback": () => at("/auth/oidc/callback?code=x&state=x"),
  "POST /auth/login": () => at("/auth/login", { username: "maker-demo", password: "correct horse" }),
  "POST /auth/refresh": async (make) => at("/auth/refresh", { refresh_token: await make.refreshToken() }),
  "POST /auth/client-tokens": (make) =>
    at("/auth/client-tokens", {
      name: make.unique(),
      scopes: [`read:${make.tenant}/shop/prod/*`],
      ttl_seconds: 60,
    }),
  "GET /auth/client-tokens": inTenant("/auth/client-tokens"),
  "DELETE /auth/client-tokens/{id}": async (make) => ({
    ...at(`/auth/client-tokens/${await make.clientToken()}`),
    mayRefuse: true,
  }),
  "GET /audit-logs": inTenant("/audit-logs"),
  "GET /audit-logs/export": inTenant("/audit-logs/export?format=jsonl"),
  "GET /audit-logs/verify": inTenant("/audit-logs/verify"),
};

/** The routes of one kind of typed configs; each moves a plan that a request before may have ended. */
function ofTyped(resource: GrayResourceName): Record<string, Build> {
  const path = `/gray/${resource}`;
  const one =
    (rest: string, body?: unknown): Build =>
    async (make) =>
      at(`${path}/${await make.typed(resource)}${rest}`, body);
  const move =
    (verb: string): Build =>
    async (make) => ({ ...(await one(`/${verb}`)(make)), mayRefuse: true });
  return {
    [`POST ${path}`]: (make) => at(path, { ...GRAY_BODIES[resource](make.unique()), tenant: make.tenant }),
    [`GET ${path}`]: inTenant(path),
    [`GET ${path}/{id}`]: one(""),
    [`PUT ${path}/{id}`]: one("", { gateway_type: "POP" }),
    [`GET ${path}/{id}/versions`]: one("/versions"),
    [`POST ${path}/{id}/publish`]: move("publish"),
    [`POST ${path}/{id}/advance`]: move("advance"),
    [`POST ${path}/{id}/abort`]: move("abort"),
  };
}

/** By method and path as the router has them, below `/api/v1`. */
export const MATRIX_REQUESTS: Readonly<Record<string, Build>> = {
  ...CONFIGS,
  ...CHANGES,
  ...ofTyped("data-sources"),
  ...ofTyped("api-records"),
  ...ofTyped("api-metas"),
  ...CLUSTER,
  ...TENANTS,
  ...USERS,
  ...ROLES,
  ...GROUPS,
  ...SIGNING_IN,
};
