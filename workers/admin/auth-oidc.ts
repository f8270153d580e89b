import { ulid } from "ulid";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { allowedRedirect } from "../../adapters/oidc/allowed-redirect.ts";
import type { OidcIdentity, OidcProvider } from "../../adapters/oidc/oidc-provider.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { openSignIn, sealSignIn, type SignInState } from "../../adapters/tokens/seal-sign-in.ts";
import { tokenPair } from "../../contracts/access/auth-api.ts";
import { oidcStartQuery } from "../../contracts/access/session-api.ts";
import { OIDC_SIGN_IN_MS_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { findOidcUser } from "./auth-oidc-user.ts";
import {
  auditSession,
  beginSession,
  prepareSession,
  signedInTime,
  type SessionOwner,
  tokenPairOf,
} from "./auth-session.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { userResource } from "./user-views.ts";

/** `__Host-` keeps other hosts and plain http from setting it; without TLS, in development, there is no such name. */
const COOKIE = "conflux_sign_in";

const startRoute = declareRoute(
  { public: "sign_in" },
  {
    method: "get",
    path: "/api/v1/auth/oidc/start",
    tags: ["access"],
    summary: "Sign in at the identity provider: sends a browser there",
    request: { query: oidcStartQuery },
    responses: { 302: { description: "To the provider" } },
  },
);
const callbackRoute = declareRoute(
  { public: "sign_in" },
  {
    method: "get",
    path: "/api/v1/auth/oidc/callback",
    tags: ["access"],
    summary: "Where the identity provider sends the browser back to",
    responses: {
      200: { description: "Tokens of the user, when no redirect was asked for", content: json(tokenPair) },
      302: {
        description: "To the redirect, with `login_code` in its query: good for one POST /auth/refresh",
      },
    },
  },
);

/** `GET /auth/oidc/start` and `GET /auth/oidc/callback`; `not_found` where no provider is configured. */
export function registerOidcRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(startRoute, async (c) => {
    const provider = requireProvider(deps);
    const redirect = readRedirect(provider, c.req.valid("query").redirect);
    const nowMs = deps.nowMs();
    const { url, checks } = await provider.begin(nowMs);
    const { derived } = await deps.signingKey();
    setCookie(c, COOKIE, await sealSignIn(derived.sealing, { ...checks, redirect }, nowMs), {
      ...cookieOptions(provider),
      maxAge: OIDC_SIGN_IN_MS_MAX / 1000,
    });
    c.header("cache-control", "no-store");
    return c.redirect(url.href, 302);
  });

  app.openapi(callbackRoute, async (c) => {
    const provider = requireProvider(deps);
    const nowMs = deps.nowMs();
    const { derived } = await deps.signingKey();
    const begun = await openSignIn(derived.sealing, readCookie(c, provider), nowMs);
    // Whatever comes of it, this sign-in is over: a second callback finds nothing.
    deleteCookie(c, COOKIE, cookieOptions(provider));
    c.header("cache-control", "no-store");
    const identity = await provider.finish(new URL(c.req.url), begun, nowMs);
    return finishSignIn(c, deps, { provider, identity, begun });
  });
}

async function finishSignIn(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  input: { provider: OidcProvider; identity: OidcIdentity; begun: SignInState },
) {
  const { provider, identity, begun } = input;
  const user = await findOidcUser(deps.database(c), {
    identity,
    settings: provider.settings,
    nowMs: deps.nowMs(),
    newUserId: `usr_${ulid()}`,
    audit: async (tx, of, summary) => {
      const resource = userResource(SYSTEM_TENANT, of.id);
      const act = { owner: of, action: "write", resource, outcome: "success", summary } as const;
      await auditSession(c, tx, { ...act, nowMs: deps.nowMs() });
    },
  });
  const owner: SessionOwner | null = user;
  const isIn = user?.isActive === true;
  const kind = { isCode: begun.redirect !== null };
  const prepared = owner === null || !isIn ? null : await prepareSession(deps, owner, kind);
  const session = await withTenant(deps.database(c), SYSTEM_TENANT, async (tx) => {
    const signed = prepared && (await signedInTime(deps, tx, prepared, kind));
    if (signed !== null) await beginSession(tx, signed);
    await auditSession(c, tx, {
      owner,
      action: "login",
      resource: "users",
      outcome: signed === null ? "failure" : "success",
      summary: `${signed === null ? "sign-in refused" : "signed in"} through ${identity.issuer}`,
      nowMs: deps.nowMs(),
    });
    return signed;
  });
  if (owner === null || session === null) {
    throw new ConfluxError("forbidden", "This identity may not sign in here; ask an administrator.");
  }
  if (begun.redirect === null) {
    return c.json(await tokenPairOf(c, deps, owner, session.refreshToken, session.nowMs), 200);
  }
  const target = new URL(begun.redirect);
  target.searchParams.set("login_code", session.refreshToken);
  return c.redirect(target.href, 302);
}

function requireProvider(deps: AuthDeps): OidcProvider {
  const provider = deps.oidc();
  if (provider !== null) return provider;
  throw new ConfluxError("not_found", "No identity provider is configured here.");
}

function readRedirect(provider: OidcProvider, address: string | undefined): string | null {
  if (address === undefined) return null;
  const url = allowedRedirect(address, provider.settings.redirect_origins);
  if (url !== null) return url.href;
  throw new ConfluxError("validation_failed", "A sign-in may not end there.", {
    errors: [{ path: "/query/redirect", message: "an address of one of the configured redirect origins" }],
  });
}

function readCookie(c: Context<AdminEnv>, provider: OidcProvider): string | undefined {
  return isSecure(provider) ? getCookie(c, COOKIE, "host") : getCookie(c, COOKIE);
}

function cookieOptions(provider: OidcProvider) {
  const common = { path: "/", httpOnly: true, sameSite: "Lax" as const };
  return isSecure(provider) ? { ...common, secure: true, prefix: "host" as const } : common;
}

const isSecure = ({ settings }: OidcProvider): boolean =>
  !(settings.allow_http && settings.callback_url.startsWith("http:"));
