import { z } from "zod";
import { PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import { isResourcePattern } from "../../domain/access/scope.ts";
import { RESOURCE_PATTERN_CHARACTERS_MAX } from "../limits.ts";
import { descriptionSchema, etagSchema, nameSchema, timeSchema } from "../config/fields.ts";
import { roleName } from "./access-fields.ts";

export const createRoleRequest = z
  .strictObject({ tenant: nameSchema, name: roleName, description: descriptionSchema.default("") })
  .meta({ id: "CreateRoleRequest" });
export const changeRoleRequest = z
  .strictObject({ name: roleName.optional(), description: descriptionSchema.optional() })
  .meta({ id: "ChangeRoleRequest" });

export const roleView = z
  .object({
    id: z.string(),
    tenant: z.string(),
    name: z.string(),
    description: z.string(),
    created_at: timeSchema,
    etag: etagSchema,
  })
  .meta({ id: "Role" });
export type RoleView = z.infer<typeof roleView>;

export const permissionBody = z
  .strictObject({
    action: z.enum(PERMISSION_ACTIONS),
    resource_pattern: z
      .string()
      .max(RESOURCE_PATTERN_CHARACTERS_MAX)
      .refine(
        isResourcePattern,
        "tenant/app/env/name or a shorter path, where * is one segment and a last ** is the rest",
      ),
  })
  .meta({ id: "Permission" });

export const permissionQuery = z.object(permissionBody.shape);
