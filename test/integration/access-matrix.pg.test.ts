import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signAccessToken, signClientToken } from "../../adapters/tokens/sign-token.ts";
import {
  indexPermissions,
  PERMISSION_ACTIONS,
  type Permission,
  type PermissionAction,
  type PermissionIndex,
  permits,
} from "../../domain/access/permits.ts";
import { type RouteAccess, resourceOf } from "../../workers/admin/route-access.ts";
import { newConfig } from "../../workers/admin/testing-admin.ts";
import { type AccessApp, startAccessApp, uniqueId } from "../testing/access-app.ts";
import { GRAY_BODIES, type Maker, MATRIX_REQUESTS, type MatrixRequest } from "../testing/access-requests.ts";
import { listRoutes } from "../testing/list-routes.ts";

const PREFIX = "/api/v1";
const OWN = "demo";
const FOREIGN = "other";
const GHOST = "ghost";
const ENDED = "ended session";
const SIGN_IN_AGAIN = "The session has ended; sign in again.";
/** What a role of these tests reaches: all of its tenant, or what is below it. */
const allow = (actions: readonly PermissionAction[], ...patterns: string[]): Permission[] =>
  actions.flatMap((action) => patterns.map((resource_pattern) => ({ action, resource_pattern })));
const ROLES: Record<string, Permission[]> = {
  none: [],
  ...Object.fromEntries(PERMISSION_ACTIONS.map((action) => [`${action} alone`, allow([action], "**")])),
  reader: allow(["read", "list"], `${OWN}/**`),
  editor: allow(["read", "list", "write"], `${OWN}/**`),
  publisher: allow(["read", "list", "write", "publish"], `${OWN}/**`),
  admin: allow(PERMISSION_ACTIONS, OWN, `${OWN}/**`),
};
const SYSTEM: PermissionIndex = indexPermissions(allow(PERMISSION_ACTIONS, "_system", "_system/**"));

interface Caller {
  name: string;
  bearer: Record<string, string>;
  /** Signs in again; missing where there is nobody who could. */
  renew?: () => Promise<Record<string, string>>;
  /** Null: there is no session. */
  tenant: string | null;
  held: PermissionIndex;
}
type Expected = "same for all" | "401" | "allowed" | "403" | "404" | "its own" | "like nothing";

let app: AccessApp;
let callers: Caller[];
const makers = new Map<string, Record<string, string>>();
let cells = 0;

const routes = listRoutes().filter((route) => route.path.startsWith(PREFIX));
const keyOf = (route: { method: string; path: string }) =>
  `${route.method} ${route.path.slice(PREFIX.length)}`;

beforeAll(async () => {
  app = await startAccessApp([OWN, FOREIGN]);
  await app.owner`update tenants set max_configs = 1000000, max_api_requests_per_minute = 1000000`;
  for (const tenant of [OWN, FOREIGN]) {
    const boss = await app.user(tenant, `maker-${tenant}`, allow(PERMISSION_ACTIONS, "**"));
    makers.set(tenant, boss.bearer);
  }
  callers = [];
  for (const [name, held] of Object.entries(ROLES)) {
    const { bearer, renew } = await app.user(OWN, name.replace(" ", "-"), held);
    callers.push({ name, bearer, renew, tenant: OWN, held: indexPermissions(held) });
  }
  const operator = await app.operator("operator");
  callers.push({
    name: "operator",
    bearer: operator.bearer,
    renew: operator.renew,
    tenant: "_system",
    held: SYSTEM,
  });
  const foreign = allow(PERMISSION_ACTIONS, FOREIGN, `${FOREIGN}/**`);
  const stranger = await app.user(FOREIGN, "stranger", foreign);
  callers.push({
    name: "other tenant's admin",
    bearer: stranger.bearer,
    renew: stranger.renew,
    tenant: FOREIGN,
    held: indexPermissions(foreign),
  });
  const client = await signClientToken(app.key, {
    id: `${OWN}.${uniqueId()}`,
    tenant: OWN,
    scopes: [`read:${OWN}/**`],
    nowMs: Date.now(),
    ttlS: 3600,
  });
  const expired = await signAccessToken(app.key, {
    userId: "usr_admin",
    username: "admin",
    jti: "x",
    nowMs: Date.now() - 24 * 60 * 60 * 1000,
  });
  const nothing = indexPermissions([]);
  for (const [name, token] of [
    ["client token", client.token],
    ["no token", ""],
    ["expired token", expired.token],
    [ENDED, await endedSession()],
  ] as const) {
    callers.push({
      name,
      bearer: { authorization: token && `Bearer ${token}` },
      tenant: null,
      held: nothing,
    });
  }
});
afterAll(async () => {
  process.stdout.write(`access matrix: ${routes.length} routes, ${callers.length} callers, ${cells} cells\n`);
  await app.close();
});

/** The token, good for minutes, of someone who may do everything and whose sessions were ended after it was issued. */
async function endedSession(): Promise<string> {
  const { bearer, renew } = await app.user(OWN, "signed-out", allow(PERMISSION_ACTIONS, "**"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  const answer = await app.send("POST", `${PREFIX}/auth/logout-all`, {}, await renew());
  expect(answer.status).toBe(200);
  return bearer.authorization.replace("Bearer ", "");
}

/** What the table of routes says of a caller, and nothing else does. */
function expectedOf(access: RouteAccess, path: string, caller: Caller, tenant: string): Expected {
  if ("public" in access) return "same for all";
  if (caller.tenant === null) return "401";
  const values = { tenant, app: "shop", env: "prod", name: "any.json" };
  const holds = (action: PermissionAction, resource: string): boolean =>
    permits(caller.held, caller.tenant ?? "", action, resource);
  if ("authenticated" in access) {
    // The bundle of the request makes one config; that it is not there is told to who may read it.
    const config = `${tenant}/shop/prod/any.json`;
    if (access.authenticated === "planned")
      return holds("read", config) && holds("write", config) ? "allowed" : "403";
    if (access.authenticated !== "delegation") return caller.tenant === tenant ? "its own" : "like nothing";
    return holds("read", `${tenant}/shop/prod/*`) ? "allowed" : "403";
  }
  const { action, resource, or } = access;
  const wanted = resourceOf(resource, values);
  if (holds(action, wanted) || (or !== undefined && holds(action, resourceOf(or, values)))) return "allowed";
  // What is named by an id alone is not there for who may not read it.
  const isById =
    (/\{(?:p|cr)?id\}/.test(path) && !path.includes("/users/{id}")) || isByIdInBody(access, path);
  return isById && !holds("read", wanted) ? "404" : "403";
}

/** The one route whose config is named in its body. */
function isByIdInBody(access: RouteAccess, path: string): boolean {
  if (path.endsWith("/releases:batch")) return true;
  return path.endsWith("/change-requests") && "action" in access && access.action === "write";
}

describe("A4 every route, every caller, both tenants", () => {
  test("every route of the API has a request here, and every request a route", () => {
    expect(Object.keys(MATRIX_REQUESTS).toSorted()).toEqual(routes.map(keyOf).toSorted());
  });

  test.each(routes)(
    "$method $path",
    async (route) => {
      const build = MATRIX_REQUESTS[keyOf(route)];
      if (build === undefined)
        throw new Error(`say in test/testing/access-requests.ts how to ask ${keyOf(route)}`);
      const shared = new Map([OWN, FOREIGN].map((tenant) => [tenant, maker(tenant)]));
      const publicStatuses = new Set<number>();
      for (const caller of callers) {
        for (const tenant of [OWN, FOREIGN]) {
          const expected = expectedOf(route.access, route.path, caller, tenant);
          const changes = route.method !== "GET" && expected === "allowed";
          const request = await build((changes ? null : shared.get(tenant)) ?? maker(tenant));
          const answer = await send(route.method, request, caller);
          if (request.endsSession === true && caller.renew !== undefined)
            caller.bearer = await caller.renew();
          cells += 1;
          const cell = `${route.method} ${request.path} as ${caller.name} on ${tenant}`;
          if (expected === "same for all") publicStatuses.add(answer.status);
          expect([cell, judge(answer.status, expected, request)]).toEqual([cell, expected]);
          // What ends the caller's own session is about no tenant.
          const isAboutTenant = request.endsSession !== true;
          if (
            ["403", "404", "like nothing"].includes(expected) &&
            caller.tenant !== tenant &&
            isAboutTenant
          ) {
            const ofNothing = await build(ghost());
            const nothing = await send(route.method, ofNothing, caller);
            expect([cell, anonymous(answer, request)]).toEqual([cell, anonymous(nothing, ofNothing)]);
          }
        }
      }
      expect(publicStatuses.size).toBeLessThanOrEqual(1);
    },
    120_000,
  );

  test.each(routes.filter(({ access }) => !("public" in access)))(
    "$method $path tells an ended session so of what is not there, too",
    async (route) => {
      const build = MATRIX_REQUESTS[keyOf(route)];
      const ended = callers.find(({ name }) => name === ENDED);
      if (build === undefined || ended === undefined) throw new Error("nobody asks");
      const answer = await send(route.method, await build(ghost()), ended);
      expect([answer.status, answer.text]).toEqual([401, expect.stringContaining(SIGN_IN_AGAIN)]);
    },
  );

  test.each(["roles/x", "user-groups/x", "applications/x"])(
    "GET %s tells an ended session so of an id that is none, too",
    async (path) => {
      const ended = callers.find(({ name }) => name === ENDED);
      const answer = await app.send("GET", `${PREFIX}/${path}`, undefined, ended?.bearer);
      expect(answer.status).toBe(401);
    },
  );
});

/** The expectation that a status fulfils, or what it is instead. */
function judge(status: number, expected: Expected, request: MatrixRequest): string {
  const isError = status >= 500;
  const isRefused = status === 401 || status === 403;
  switch (expected) {
    case "same for all":
    case "like nothing":
      return isError || status === 403 ? String(status) : expected;
    case "allowed":
      return status < 300 || (request.mayRefuse === true && !isRefused && !isError)
        ? expected
        : String(status);
    case "its own":
      return isError || isRefused ? String(status) : expected;
    default:
      return String(status);
  }
}

interface Answer {
  status: number;
  text: string;
}
async function send(method: string, request: MatrixRequest, caller: Caller): Promise<Answer> {
  const response = await app.send(method, `${PREFIX}${request.path}`, request.body, caller.bearer);
  return { status: response.status, text: await response.text() };
}

const LITERAL_SEGMENTS = new Set(routes.flatMap((route) => route.path.split("/")));
const NAMES = new RegExp(`\\b(${GHOST}|${FOREIGN}|${OWN})\\b(?:[.:]\\w+)?|nothing-\\d+`, "g");

/** An answer without its trace and without the names that the request itself brought. */
function anonymous(answer: Answer, request: MatrixRequest): Answer {
  const segments = (request.path.split("?")[0] ?? "").split("/");
  const { config_id = "" } = (request.body ?? {}) as { config_id?: string };
  let text = answer.text.replaceAll(/"trace_id":"\w+"/g, "");
  // Ids of configs that stand in the body.
  for (const [id] of JSON.stringify(request.body ?? null).matchAll(/cfg-[\w-]+/g)) {
    text = text.replaceAll(id, "<name>");
  }
  for (const name of [...segments, config_id].filter((s) => s.length > 2 && !LITERAL_SEGMENTS.has(s))) {
    text = text.replaceAll(name, "<name>");
  }
  text = text.replaceAll(NAMES, "<name>").replaceAll(/<name>(?:\/[\w.-]+)*/g, "<name>");
  return { status: answer.status, text };
}

let uniques = 0;
function unique(): string {
  uniques += 1;
  return `m${uniques}`;
}

/** Makes what it is asked for in a tenant, each thing once. */
function maker(tenant: string): Maker {
  const known = new Map<string, Promise<string>>();
  const once = (key: string, make: () => Promise<string>): Promise<string> => {
    const found = known.get(key) ?? make();
    known.set(key, found);
    return found;
  };
  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const answer = await app.send("POST", `${PREFIX}${path}`, body, makers.get(tenant));
    expect([path, answer.status < 300]).toEqual([path, true]);
    return (await answer.json()) as Record<string, unknown>;
  };
  const idOf = async (path: string, body: unknown): Promise<string> => String((await post(path, body))["id"]);
  const self: Maker = {
    tenant,
    unique,
    config: () => once("config", () => idOf("/mgt/configs", newConfig({ tenant, name: unique() }))),
    typed: (resource) =>
      once(resource, async () => {
        const body = { ...GRAY_BODIES[resource](unique()), tenant };
        const id = await idOf(`/gray/${resource}`, body);
        await post(`/gray/${resource}/${id}/publish`, {});
        return id;
      }),
    publish: () =>
      once("publish", async () => {
        const body = { version_id: 1, strategy: { type: "canary", canary_labels: { canary: "true" } } };
        const made = await post(`/mgt/configs/${await self.config()}/publish`, body);
        return String(made["publish_id"]);
      }),
    changeRequest: async () => {
      const made = await once("change", async () => {
        const operation = { type: "version", version: { content: "{}" } };
        const body = { config_id: await self.config(), operation };
        const { id, digest } = await post("/mgt/change-requests", body);
        return `${String(id)} ${String(digest)}`;
      });
      const [id = "", digest = ""] = made.split(" ");
      return { id, digest };
    },
    application: () => once("application", () => idOf("/applications", { tenant, name: unique() })),
    role: () => once("role", () => idOf("/roles", { tenant, name: unique() })),
    group: () => once("group", () => idOf("/user-groups", { tenant, name: unique() })),
    user: ({ role, group }) =>
      once(`user ${role ?? group ?? ""}`, () =>
        idOf("/users", {
          tenant,
          username: unique(),
          password: "correct horse",
          role_ids: role === undefined ? [] : [role],
          group_ids: group === undefined ? [] : [group],
        }),
      ),
    permission: async (role) => {
      const permission = { action: "write", resource_pattern: `${tenant}/matrix/**` };
      await post(`/roles/${role}/permissions`, permission);
    },
    groupRole: async (group, role) => {
      await post(`/user-groups/${group}/roles`, { role_id: role });
    },
    clientToken: () =>
      once("token", () =>
        idOf("/auth/client-tokens", { name: unique(), scopes: [`read:${tenant}/**`], ttl_seconds: 3600 }),
      ),
    // A new session each time: a refresh token is good once.
    refreshToken: async () => {
      const body = { username: `maker-${tenant}`, password: "correct horse" };
      return String((await post("/auth/login", body))["refresh_token"]);
    },
  };
  return self;
}

/** Names what nobody has. */
function ghost(): Maker {
  const nothing = (): Promise<string> => Promise.resolve(`nothing-${(uniques += 1)}`);
  const scoped = (): Promise<string> => Promise.resolve(`${GHOST}.${uniqueId()}`);
  return {
    tenant: GHOST,
    unique,
    config: nothing,
    publish: nothing,
    typed: nothing,
    changeRequest: async () => ({ id: await nothing(), digest: "0".repeat(64) }),
    application: () => Promise.resolve(`${GHOST}:${unique()}`),
    role: scoped,
    group: scoped,
    user: nothing,
    permission: () => Promise.resolve(),
    groupRole: () => Promise.resolve(),
    clientToken: scoped,
    refreshToken: nothing,
  };
}
