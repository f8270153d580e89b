import { z } from "zod";
import { isTenantScopedPlace, listCursor } from "../list-cursor.ts";
import { CLIENT_TOKEN_TTL_S_MAX, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, TOKEN_SCOPES_MAX } from "../limits.ts";
import { CLIENT_TOKEN_STATUSES } from "../../domain/access/client-token-state.ts";
import { isConfigName, NAME_CHARACTERS_MAX, NAME_RULE } from "../../domain/config/config-name.ts";
import { parseReadScope } from "../../domain/access/permits.ts";
import { passwordSchema } from "./password-service.ts";
import { wholeNumber } from "../whole-number.ts";

export const USERNAME_CHARACTERS_MAX = 128;
const TOKEN_CHARACTERS_MAX = 8192;
const TOKEN_NAME_CHARACTERS_MAX = 128;
const ID_CHARACTERS_MAX = 200;
/** `read:` and four names with their slashes. */
const SCOPE_CHARACTERS_MAX = 5 + 4 * (NAME_CHARACTERS_MAX + 1);

/** Text that a database can hold and a log line can show. */
export const NO_CONTROL_CHARACTERS = /^\P{Cc}*$/u;
export const NO_CONTROL_MESSAGE = "must have no control characters";

export const usernameSchema = z
  .string()
  .min(1)
  .max(USERNAME_CHARACTERS_MAX)
  .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE);

export const loginRequest = z
  .strictObject({
    username: usernameSchema,
    password: passwordSchema,
  })
  .meta({ id: "LoginRequest" });

export const refreshRequest = z
  .strictObject({ refresh_token: z.string().min(1).max(TOKEN_CHARACTERS_MAX) })
  .meta({ id: "RefreshRequest" });

export const tokenPair = z
  .object({
    access_token: z.string(),
    token_type: z.literal("Bearer"),
    /** Seconds until the access token expires. */
    expires_in: z.int(),
    refresh_token: z.string(),
  })
  .meta({ id: "TokenPair" });
export type TokenPair = z.infer<typeof tokenPair>;

export const createClientTokenRequest = z
  .strictObject({
    name: z
      .string()
      .trim()
      .min(1)
      .max(TOKEN_NAME_CHARACTERS_MAX)
      .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE),
    scopes: z
      .array(
        z
          .string()
          .max(SCOPE_CHARACTERS_MAX)
          .refine(
            (scope) => parseReadScope(scope) !== null,
            "expected read:tenant/app/env/name, where * is one segment and a last ** is the rest",
          ),
      )
      .min(1)
      .max(TOKEN_SCOPES_MAX),
    ttl_seconds: z.int().min(1).max(CLIENT_TOKEN_TTL_S_MAX),
  })
  .meta({ id: "CreateClientTokenRequest" });

export const createdClientToken = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.string()),
    /** Shown once: a repetition of the request (`Idempotency-Replayed: true`) leaves it out. */
    token: z.string().optional(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: "CreatedClientToken" });
export type CreatedClientToken = z.infer<typeof createdClientToken>;

export const clientTokenView = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.string()),
    created_by: z.string(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
    revoked_at: z.iso.datetime().nullable(),
    ended_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: "When a restore from a backup ended all tokens issued before, this one too" }),
    status: z.enum(CLIENT_TOKEN_STATUSES).meta({ description: "Only `active` ones are taken by the edge" }),
  })
  .meta({ id: "ClientToken" });
export type ClientTokenView = z.infer<typeof clientTokenView>;

export const clientTokenList = z
  .object({ items: z.array(clientTokenView), next_cursor: z.string().nullable() })
  .meta({ id: "ClientTokenList" });

export const revokedClientToken = z
  .object({
    id: z.string(),
    revoked_at: z.iso.datetime(),
    /** Edges that have reached it refuse the token. Null for a token that had expired by itself. */
    index: z.string().nullable(),
  })
  .meta({ id: "RevokedClientToken" });

export const clientTokenPath = z.object({
  id: z.string().min(1).max(ID_CHARACTERS_MAX).regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE),
});

/** May be left out by who holds roles in one tenant alone. */
export const tenantQuery = z
  .string()
  .max(NAME_CHARACTERS_MAX, { error: NAME_RULE, abort: true })
  .refine(isConfigName, NAME_RULE)
  .optional();
export const limitQuery = wholeNumber(1, LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT);
export const cursorQuery = z
  .string()
  .min(1)
  .max(ID_CHARACTERS_MAX)
  .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE)
  .optional();

export const clientTokenQuery = z.object({
  tenant: tenantQuery,
  limit: limitQuery,
  cursor: listCursor(isTenantScopedPlace),
});

export const jwkSet = z
  .object({
    keys: z.array(
      z.object({
        kty: z.literal("OKP"),
        crv: z.literal("Ed25519"),
        x: z.string(),
        kid: z.string(),
        alg: z.literal("EdDSA"),
        use: z.literal("sig"),
      }),
    ),
  })
  .meta({ id: "JwkSet" });
