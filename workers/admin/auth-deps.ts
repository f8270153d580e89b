import type { Context } from "hono";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { WaitingRoom } from "../../adapters/postgres/waiting-room.ts";
import { importSigningKey, type SigningKey } from "../../adapters/tokens/sign-token.ts";
import { createOidcProvider, type OidcProvider } from "../../adapters/oidc/oidc-provider.ts";
import { oidcSettings } from "../../contracts/access/session-api.ts";
import { createPasswordService, type PasswordService } from "./auth-password.ts";
import type { AdminEnv } from "./principal.ts";

/** What signing in, tokens and the audit need besides the app's own dependencies. */
export interface AuthDeps {
  /** Imported once an isolate; rejects when the configured key is none. */
  signingKey: () => Promise<SigningKey>;
  /** The database as `conflux_app`, the same one for the whole of a request. */
  database: (c: Context<AdminEnv>) => Database;
  /** Closes what `database` opened for the request, once the answer is ready; nothing when it opened none. */
  release: (c: Context<AdminEnv>) => void;
  passwords: PasswordService;
  /** Where users sign in besides; null when none is configured. Throws when its settings are wrong, which costs nothing else. */
  oidc: () => OidcProvider | null;
  nowMs: () => number;
}

/** Bindings of the admin Worker that are about access. */
export interface AuthBindings {
  HYPERDRIVE: { connectionString: string };
  /** Private Ed25519 key as JWK: signs access, refresh and client tokens. */
  TOKEN_SIGNING_JWK: string;
  /** JSON list of public Ed25519 JWKs: keys that signed before and still verify; "[]" for none. */
  TOKEN_RETIRED_JWKS: string;
  /** Function URL of lambdas/password-hash. */
  PASSWORD_HASH_URL: string;
  /** Shared with that function; at least 32 bytes. */
  LAMBDA_SERVICE_KEY: string;
  /** `oidcSettings` as JSON; empty where nobody signs in through a provider. */
  OIDC_SETTINGS: string;
  /** Empty for a public client, and where there is no provider. */
  OIDC_CLIENT_SECRET?: string;
}

/** Dependencies from the Worker's bindings. A database connection lives as long as the request that opened it. */
export function createAuthDeps(env: AuthBindings): AuthDeps {
  const opened = new WeakMap<Context<AdminEnv>, Database>();
  // Places are numbers and no promises: nothing of a request outlives it here.
  const waitingRoom = new WaitingRoom();
  let key: SigningKey | null = null;
  let provider: OidcProvider | null = null;
  return {
    // The key is kept and never its promise: a request must not wait for what another, perhaps cancelled, began.
    signingKey: async () =>
      (key ??= await importSigningKey(
        JSON.parse(env.TOKEN_SIGNING_JWK) as object,
        JSON.parse(env.TOKEN_RETIRED_JWKS) as object[],
      )),
    database: (c) => {
      const known = opened.get(c);
      if (known !== undefined) return known;
      const database = connectPostgres(env.HYPERDRIVE.connectionString, { waitingRoom });
      opened.set(c, database);
      return database;
    },
    release: (c) => {
      const database = opened.get(c);
      if (database === undefined) return;
      opened.delete(c);
      c.executionCtx.waitUntil(database.close());
    },
    passwords: createPasswordService({ url: env.PASSWORD_HASH_URL, serviceKey: env.LAMBDA_SERVICE_KEY }),
    oidc: () => {
      if (env.OIDC_SETTINGS === "") return null;
      provider ??= createOidcProvider(
        oidcSettings.parse(JSON.parse(env.OIDC_SETTINGS)),
        env.OIDC_CLIENT_SECRET ?? "",
      );
      return provider;
    },
    nowMs: Date.now,
  };
}
