/** Two tenants with things in them, the five who send requests, and what no answer may show to whom. */
import type { SigningKey } from "../../adapters/tokens/sign-token.ts";
import { signAccessToken, signClientToken } from "../../adapters/tokens/sign-token.ts";
import { newConfig } from "../../workers/admin/testing-admin.ts";
import {
  type AccessApp,
  everything,
  startAccessApp,
  type TestUser,
  uniqueId,
} from "../testing/access-app.ts";
import { CLIENT_ID } from "../testing/oidc.ts";
import { startLyingProvider } from "../testing/lying-provider.ts";
import { createOidcProvider } from "../../adapters/oidc/oidc-provider.ts";
import { oidcSettings } from "../../contracts/access/session-api.ts";
import { collectionOf, KnownThings } from "./known-things.ts";
import { PASSWORD, REDIRECT_ORIGIN, type Speaker } from "./valid-values.ts";
import { type TakeChanges, watchChanges } from "./watch-changes.ts";

const TENANTS = ["demo", "other"] as const;
const PREFIX = "/api/v1";
export const PRINCIPALS = ["operator", "admin", "reader", "stranger", "nobody"] as const;
export type PrincipalName = (typeof PRINCIPALS)[number];

export interface Principal {
  name: PrincipalName;
  speaker: Speaker;
  /** The headers of its next request. */
  authorize(): Record<string, string>;
  /** Another token, for when requests have ended the one that it had. */
  signIn(): Promise<void>;
  /** Texts of others that no answer to this one may hold. */
  hidden: readonly string[];
}
export interface FuzzWorld {
  app: AccessApp;
  principals: readonly Principal[];
  send(
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string>,
  ): Promise<Response>;
  changes: TakeChanges;
  /** The newest line of the app's log that is about a failure. */
  logged(): string;
  close(): Promise<void>;
}

export const markerOf = (tenant: string): string => `mark-of-${tenant}`;
/** In names of users alone, which operators may see. */
export const userMarkerOf = (tenant: string): string => `somebody-of-${tenant}`;

export async function makeFuzzWorld(given?: { ownerUrl: string; appUrl: string }): Promise<FuzzWorld> {
  const app = await startAccessApp(TENANTS, given);
  const provider = await startLyingProvider();
  const oidc = createOidcProvider(
    oidcSettings.parse({
      issuer: provider.issuer,
      client_id: CLIENT_ID,
      callback_url: "http://127.0.0.1/api/v1/auth/oidc/callback",
      redirect_origins: [REDIRECT_ORIGIN],
      create_users: true,
      allow_http: true,
    }),
    "",
  );
  // One password is right: with any of them no sign-in would ever be refused.
  const served = app.with({
    passwords: {
      ...app.deps.passwords,
      verify: ({ password }) => Promise.resolve({ valid: password === PASSWORD, rehashed: null }),
    },
    oidc: () => oidc,
  });
  const operator = await app.operator("operator");
  const admin = await app.user("demo", "admin", everything("demo", "demo/**"));
  const reader = await app.user(
    "demo",
    "reader",
    everything("demo/**").filter(({ action }) => action === "read" || action === "list"),
  );
  const stranger = await app.user("other", "stranger", everything("other", "other/**"));
  const never = new Set(
    [operator, admin, reader, stranger]
      .flatMap((user) => [user.id, user.roleId])
      .concat(["operator", "admin", "reader", "stranger"]),
  );
  const known = {
    demo: new KnownThings(never),
    other: new KnownThings(never),
    _system: new KnownThings(new Set([...never, ...TENANTS])),
  };
  for (const [tenant, user] of [
    ["demo", admin],
    ["other", stranger],
  ] as const) {
    await seed(served, user, tenant, known[tenant]);
  }
  const send: FuzzWorld["send"] = async (method, path, body, headers) =>
    served.app.request(path, { method, headers, ...(body === undefined ? {} : { body }) });
  const of = (name: PrincipalName, user: TestUser, tenant: keyof typeof known, marks: boolean) =>
    userPrincipal({
      name,
      user,
      speaker: { tenant, marker: marks ? markerOf(tenant) : null, known: known[tenant] },
    });
  return {
    app,
    principals: [
      of("operator", operator, "_system", false),
      of("admin", admin, "demo", true),
      of("reader", reader, "demo", true),
      of("stranger", stranger, "other", true),
      await nobody(app.key, known.demo),
    ],
    send,
    changes: await watchChanges(app.owner, served.core.state),
    logged: () => JSON.stringify(served.logs.findLast(({ level }) => level === "error") ?? null),
    async close() {
      await Promise.all([app.close(), provider.stop()]);
    },
  };
}

function userPrincipal({
  name,
  user,
  speaker,
}: {
  name: PrincipalName;
  user: TestUser;
  speaker: Speaker;
}): Principal {
  let headers: Record<string, string> = user.bearer;
  return {
    name,
    speaker,
    hidden: TENANTS.filter((tenant) => tenant !== speaker.tenant).flatMap((tenant) =>
      name === "operator" ? [markerOf(tenant)] : [markerOf(tenant), userMarkerOf(tenant)],
    ),
    authorize: () => headers,
    async signIn() {
      headers = await user.renew();
    },
  };
}

/** Who has no session: by turns without a token, with a token of the edge, with one that has expired. */
async function nobody(key: SigningKey, known: KnownThings): Promise<Principal> {
  const client = await signClientToken(key, {
    id: `demo.${uniqueId()}`,
    tenant: "demo",
    scopes: ["read:demo/**"],
    nowMs: Date.now(),
    ttlS: 3600,
  });
  const expired = await signAccessToken(key, {
    userId: "usr_admin",
    username: "admin",
    jti: "x",
    nowMs: Date.now() - 24 * 60 * 60 * 1000,
  });
  const tokens = [null, client.token, expired.token];
  let turn = 0;
  return {
    name: "nobody",
    speaker: { tenant: "demo", marker: null, known },
    hidden: TENANTS.flatMap((tenant) => [markerOf(tenant), userMarkerOf(tenant)]),
    authorize() {
      turn += 1;
      const token = tokens[turn % tokens.length] ?? null;
      return token === null ? {} : { authorization: `Bearer ${token}` };
    },
    signIn: () => Promise.resolve(),
  };
}

/** Of everything one, with the tenant's mark on it wherever it has a text. */
async function seed(
  served: Pick<AccessApp, "send">,
  user: TestUser,
  tenant: string,
  known: KnownThings,
): Promise<void> {
  const mark = markerOf(tenant);
  const post = async (path: string, body: Record<string, unknown>): Promise<Record<string, unknown>> => {
    const answer = await served.send("POST", `${PREFIX}${path}`, body, user.bearer);
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    const json = (await answer.json()) as Record<string, unknown>;
    known.learn(collectionOf(path), json, answer.headers.get("etag"));
    return json;
  };
  for (const name of ["one", "two", "three"]) {
    const content = JSON.stringify({ mark });
    const config = newConfig({ tenant, name: `${mark}-${name}`, content, description: mark, release: true });
    const { id } = await post("/mgt/configs", config);
    await post(`/mgt/configs/${String(id)}/versions`, { content: JSON.stringify({ mark, name }) });
    const strategy = { type: "canary", canary_labels: { mark } };
    await post(`/mgt/configs/${String(id)}/publish`, { version_id: 2, strategy });
  }
  await post("/applications", { tenant, name: mark, kms_key_id: mark });
  const role = await post("/roles", { tenant, name: mark, description: mark });
  await post("/user-groups", { tenant, name: mark, description: mark });
  await post("/users", {
    tenant,
    username: userMarkerOf(tenant),
    password: PASSWORD,
    role_ids: [role["id"]],
  });
  await post("/auth/client-tokens", { name: mark, scopes: [`read:${tenant}/**`], ttl_seconds: 3600 });
}
