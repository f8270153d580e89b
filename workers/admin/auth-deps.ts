import type { Context, MiddlewareHandler } from "hono";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { importSigningKey, type SigningKey } from "../../adapters/tokens/sign-token.ts";
import { createPasswordService, type PasswordService } from "./auth-password.ts";
import type { AdminEnv } from "./principal.ts";

/** What signing in, tokens and the audit need besides the app's own dependencies. */
export interface AuthDeps {
  /** Imported once an isolate; rejects when the configured key is none. */
  signingKey: () => Promise<SigningKey>;
  /** The database as `conflux_app`. The same one for the whole of a request; the host closes it afterwards. */
  database: (c: Context<AdminEnv>) => Database;
  passwords: PasswordService;
  nowMs: () => number;
}

/** Bindings of the admin Worker that are about access. */
export interface AuthBindings {
  HYPERDRIVE: { connectionString: string };
  /** Private Ed25519 key as JWK: signs access, refresh and client tokens. */
  TOKEN_SIGNING_JWK: string;
  /** Function URL of lambdas/password-hash. */
  PASSWORD_HASH_URL: string;
  /** Shared with that function; at least 32 bytes. */
  LAMBDA_SERVICE_KEY: string;
}

/**
 * Dependencies from the Worker's bindings, and the middleware that must run before every other: it closes the database
 * connection of a request, if the request opened one, after the answer has gone.
 */
export function createAuthDeps(env: AuthBindings): { deps: AuthDeps; closing: MiddlewareHandler<AdminEnv> } {
  const opened = new WeakMap<Context<AdminEnv>, Database>();
  let key: SigningKey | null = null;
  const deps: AuthDeps = {
    // The key is kept and never its promise: a request must not wait for what another, perhaps cancelled, began.
    signingKey: async () => (key ??= await importSigningKey(JSON.parse(env.TOKEN_SIGNING_JWK) as object)),
    database: (c) => {
      const known = opened.get(c);
      if (known !== undefined) return known;
      const database = connectPostgres(env.HYPERDRIVE.connectionString);
      opened.set(c, database);
      return database;
    },
    passwords: createPasswordService({ url: env.PASSWORD_HASH_URL, serviceKey: env.LAMBDA_SERVICE_KEY }),
    nowMs: Date.now,
  };
  const closing: MiddlewareHandler<AdminEnv> = async (c, next) => {
    try {
      await next();
    } finally {
      const database = opened.get(c);
      if (database !== undefined) c.executionCtx.waitUntil(database.close());
    }
  };
  return { deps, closing };
}
