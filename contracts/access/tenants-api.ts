import { z } from "zod";
import { etagSchema, nameSchema, timeSchema } from "../config/fields.ts";
import { CLUSTER_ID_CHARACTERS_MAX, QUOTA_MAX } from "../limits.ts";
import { newPasswordSchema } from "./password-service.ts";
import { emailText, usernameText } from "./users-api.ts";

const quota = z.int().min(0).max(QUOTA_MAX);
const quotas = {
  max_configs: quota.optional(),
  max_config_size_bytes: quota.optional(),
  max_api_requests_per_minute: quota.optional(),
};

export const createTenantRequest = z
  .strictObject({
    name: nameSchema,
    /** Where the tenant's configs are; the cluster with the fewest tenants when it is left out. */
    cluster_id: z
      .string()
      .max(CLUSTER_ID_CHARACTERS_MAX)
      .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, "the id of a cluster")
      .optional(),
    ...quotas,
    /** Who may do everything in the tenant: a user who is there, or with a password a new one. */
    admin: z.strictObject({
      username: usernameText,
      password: newPasswordSchema.optional(),
      email: emailText.optional(),
    }),
  })
  .meta({ id: "CreateTenantRequest" });

export const changeTenantRequest = z.strictObject(quotas).meta({ id: "ChangeTenantRequest" });

export const tenantPath = z.object({ tenant: nameSchema });

export const tenantView = z
  .object({
    name: z.string(),
    cluster_id: z.string(),
    max_configs: z.int(),
    max_config_size_bytes: z.int(),
    max_api_requests_per_minute: z.int(),
    created_at: timeSchema,
    etag: etagSchema,
  })
  .meta({ id: "Tenant" });
export type TenantView = z.infer<typeof tenantView>;

export const tenantRemoved = z.object({ name: z.string() }).meta({ id: "TenantRemoved" });
