import { z } from "zod";
import {
  BREAK_GLASS_REASON_CHARACTERS_MAX,
  BREAK_GLASS_REASON_CHARACTERS_MIN,
  OIDC_REDIRECT_CHARACTERS_MAX,
} from "../limits.ts";
import { nameSchema } from "../config/fields.ts";
import { NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE, refreshRequest, usernameSchema } from "./auth-api.ts";
import { newPasswordSchema, passwordSchema } from "./password-service.ts";

export const logoutRequest = refreshRequest.meta({ id: "LogoutRequest" });

export const endedSessions = z
  .object({
    /** Sessions that ended by this; 0 when they had ended before. */
    ended: z.int(),
  })
  .meta({ id: "EndedSessions" });

export const changePasswordRequest = z
  .strictObject({ current: passwordSchema, new: newPasswordSchema })
  .meta({ id: "ChangePasswordRequest" });

export const unlockRequest = z
  .strictObject({
    username: usernameSchema,
    /** The only one that has to do with the user; left out by an operator, who may unlock any. */
    tenant: nameSchema.optional(),
  })
  .meta({ id: "UnlockRequest" });

export const unlocked = z
  .object({
    /** False when no failed sign-in was remembered. */
    unlocked: z.boolean(),
  })
  .meta({ id: "Unlocked" });

const CODE_CHARACTERS = 43;
const BREAK_GLASS_CODE = /^[A-Za-z0-9_-]*$/;
export const breakGlassRequest = z
  .strictObject({
    code: z
      .string()
      .length(CODE_CHARACTERS)
      .regex(BREAK_GLASS_CODE, "the code that `conflux break-glass open` printed"),
  })
  .meta({ id: "BreakGlassRequest" });

export const breakGlassSession = z
  .object({
    access_token: z.string(),
    token_type: z.literal("Bearer"),
    /** Seconds until the session ends, for good: there is no refresh token. */
    expires_in: z.int(),
  })
  .meta({ id: "BreakGlassSession" });

/** Why a break-glass session is opened, for the audit. */
export const breakGlassReason = z
  .string()
  .trim()
  .min(BREAK_GLASS_REASON_CHARACTERS_MIN)
  .max(BREAK_GLASS_REASON_CHARACTERS_MAX)
  .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE);

export const oidcStartQuery = z.object({
  /** Where the callback sends the browser, with `login_code` in its query; of an origin that is configured. */
  redirect: z.url().max(OIDC_REDIRECT_CHARACTERS_MAX).optional(),
});

/** `OIDC_SETTINGS` of the admin Worker, as JSON. Its client secret is a secret of its own. */
export const oidcSettings = z.strictObject({
  issuer: z.url(),
  client_id: z.string().min(1),
  /** This API's own callback, as registered at the provider: `https://<admin>/api/v1/auth/oidc/callback`. */
  callback_url: z.url(),
  /** Origins that a sign-in may end at. A port of `http://127.0.0.1:*` stands for any port, for command lines. */
  redirect_origins: z.array(z.string()).default([]),
  /** Whether the first sign-in links an existing user of the same verified e-mail address. */
  link_by_email: z.boolean().default(false),
  /** Whether an identity that is nobody's becomes a new user (who holds no role). */
  create_users: z.boolean().default(false),
  /** For tests and development: a provider without TLS. */
  allow_http: z.boolean().default(false),
});
export type OidcSettings = z.infer<typeof oidcSettings>;
