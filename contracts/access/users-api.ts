import { z } from "zod";
import { isConfigName, NAME_CHARACTERS_MAX, NAME_RULE } from "../../domain/config/config-name.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { etagSchema, nameSchema, timeSchema } from "../config/fields.ts";
import { isTenantScopedPlace, isUserPlace, listCursor } from "../list-cursor.ts";
import { ROLES_OF_REQUEST_MAX } from "../limits.ts";
import { idText } from "./access-fields.ts";
import {
  limitQuery,
  NO_CONTROL_CHARACTERS,
  NO_CONTROL_MESSAGE,
  tenantQuery,
  USERNAME_CHARACTERS_MAX,
} from "./auth-api.ts";
import { newPasswordSchema } from "./password-service.ts";

const EMAIL_CHARACTERS_MAX = 254;
export const usernameText = z
  .string()
  .min(1)
  .max(USERNAME_CHARACTERS_MAX)
  .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE);
export const emailText = z.email().max(EMAIL_CHARACTERS_MAX);

const ids = z.array(idText).max(ROLES_OF_REQUEST_MAX).default([]);

export const createUserRequest = z
  .strictObject({
    tenant: nameSchema,
    username: usernameText,
    password: newPasswordSchema,
    email: emailText.optional(),
    /** At least one role or group: a user who holds nothing in a tenant is not the tenant's. */
    role_ids: ids,
    group_ids: ids,
  })
  .refine((r) => r.role_ids.length + r.group_ids.length > 0, {
    path: ["role_ids"],
    message: "name at least one role or group",
  })
  .meta({ id: "CreateUserRequest" });

export const changeUserRequest = z
  .strictObject({
    email: emailText.nullable().optional(),
    is_active: z.boolean().optional(),
    /** Ends every session of the user. */
    password: newPasswordSchema.optional(),
  })
  .meta({ id: "ChangeUserRequest" });

/** May be left out by who holds roles in one tenant alone; operators name `_system`, where all users are. */
export const userTenantQuery = z.object({
  tenant: z
    .string()
    .max(NAME_CHARACTERS_MAX, { error: NAME_RULE, abort: true })
    .refine((name) => name === SYSTEM_TENANT || isConfigName(name), NAME_RULE)
    .optional(),
});
export const userListQuery = userTenantQuery.extend({ limit: limitQuery, cursor: listCursor(isUserPlace) });
/** Of roles and groups. */
export const accessListQuery = z.object({
  tenant: tenantQuery,
  limit: limitQuery,
  cursor: listCursor(isTenantScopedPlace),
});
export const applicationListQuery = z.object({
  tenant: tenantQuery,
  limit: limitQuery,
  cursor: listCursor(isConfigName),
});

/** One user by id or by exact name. */
export const userRef = z
  .strictObject({ user_id: idText.optional(), username: usernameText.optional() })
  .refine((r) => (r.user_id === undefined) !== (r.username === undefined), {
    path: ["user_id"],
    message: "give either user_id or username",
  })
  .meta({ id: "UserRef" });

export const userSummary = z
  .object({
    id: z.string(),
    username: z.string(),
    email: z.string().nullable(),
    is_active: z.boolean(),
    created_at: timeSchema,
    etag: etagSchema,
  })
  .meta({ id: "UserSummary" });
export type UserSummary = z.infer<typeof userSummary>;

const named = z.object({ id: z.string(), name: z.string() });
export const userView = userSummary
  .extend({
    /** Held directly; what groups grant stands with the groups. */
    roles: z.array(named),
    groups: z.array(named),
  })
  .meta({ id: "User" });
export type UserView = z.infer<typeof userView>;
