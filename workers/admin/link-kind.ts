import { isTenantScopedPlace, isUserPlace } from "../../contracts/list-cursor.ts";
import { GROUP_MEMBERS_MAX, ROLES_MAX } from "../../contracts/limits.ts";
import type { AccessLink } from "../../adapters/postgres/access-links.ts";
import { type AccessKind, ROLE, USER_GROUP } from "./access-kind.ts";

/** What hangs on a role or a group. */
export interface LinkKind {
  link: AccessLink;
  of: AccessKind;
  /** The last segment of the path. */
  segment: string;
  /** What hangs on it, for people. */
  word: string;
  /** What a page of them can end with. */
  isPlace: (cursor: string) => boolean;
  max: number;
}
export const ROLE_USERS: LinkKind = {
  link: "roleUsers",
  of: ROLE,
  segment: "users",
  word: "user",
  isPlace: isUserPlace,
  max: GROUP_MEMBERS_MAX,
};
export const GROUP_MEMBERS: LinkKind = {
  link: "groupMembers",
  of: USER_GROUP,
  segment: "members",
  word: "user",
  isPlace: isUserPlace,
  max: GROUP_MEMBERS_MAX,
};
export const GROUP_ROLES: LinkKind = {
  link: "groupRoles",
  of: USER_GROUP,
  segment: "roles",
  word: "role",
  isPlace: isTenantScopedPlace,
  max: ROLES_MAX,
};
