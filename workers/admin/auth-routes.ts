import type { OpenAPIHono } from "@hono/zod-openapi";
import { jwkSet } from "../../contracts/access/auth-api.ts";
import { registerClientTokenRoutes } from "./auth-client-tokens.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { registerBreakGlassRoute } from "./auth-break-glass.ts";
import { registerLoginRoute } from "./auth-login.ts";
import { registerOidcRoutes } from "./auth-oidc.ts";
import { registerOwnAccountRoutes } from "./auth-own-account.ts";
import { registerRefreshRoutes } from "./auth-refresh.ts";
import { registerUnlockRoute } from "./auth-unlock.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

/** Seconds that verifiers may keep the key set. */
const JWKS_MAX_AGE_S = 300;

const jwksRoute = declareRoute(
  { public: "keys" },
  {
    method: "get",
    path: "/.well-known/jwks.json",
    tags: ["access"],
    summary: "Keys that verify Conflux's tokens",
    responses: { 200: { description: "JSON Web Key Set (RFC 7517)", content: json(jwkSet) } },
  },
);

/** Signing in and out, client tokens and the key set. Each route authenticates by itself where it must. */
export function registerAuthRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  // Signing in uses the database without passing `authenticate`, which releases it elsewhere.
  app.use("/api/v1/auth/*", async (c, next) => {
    try {
      await next();
    } finally {
      deps.release(c);
    }
  });
  registerLoginRoute(app, deps);
  registerRefreshRoutes(app, deps);
  registerOwnAccountRoutes(app, deps);
  registerUnlockRoute(app, deps);
  registerOidcRoutes(app, deps);
  registerBreakGlassRoute(app, deps);
  registerClientTokenRoutes(app, deps);
  app.openapi(jwksRoute, async (c) => {
    const { jwks } = await deps.signingKey();
    c.header("cache-control", `public, max-age=${JWKS_MAX_AGE_S}`);
    return c.json(jwkSet.parse(jwks), 200);
  });
}
