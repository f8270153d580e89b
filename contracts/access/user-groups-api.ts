import { z } from "zod";
import { changeRoleRequest, createRoleRequest, roleView } from "./roles-api.ts";
import { idText } from "./access-fields.ts";

/** A group has what a role has: a name and a description. */
export const createUserGroupRequest = z
  .strictObject(createRoleRequest.shape)
  .meta({ id: "CreateUserGroupRequest" });
export const changeUserGroupRequest = z
  .strictObject(changeRoleRequest.shape)
  .meta({ id: "ChangeUserGroupRequest" });
export const userGroupView = z.object(roleView.shape).meta({ id: "UserGroup" });

export const roleRef = z.strictObject({ role_id: idText }).meta({ id: "RoleRef" });
