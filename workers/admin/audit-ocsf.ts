import type { AuditLogView } from "../../contracts/access/audit-api.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { tenantOfId } from "../../domain/access/tenant-scoped-id.ts";

/** Of the Open Cybersecurity Schema Framework; docs/audit.md has the mapping as a table. */
const OCSF_VERSION = "1.3.0";

const IAM = { category_uid: 3, category_name: "Identity & Access Management" };
const CLASSES = {
  authentication: { class_uid: 3002, class_name: "Authentication", ...IAM },
  entity: { class_uid: 3004, class_name: "Entity Management", ...IAM },
  api: {
    class_uid: 6003,
    class_name: "API Activity",
    category_uid: 6,
    category_name: "Application Activity",
  },
} as const;
type Class = keyof typeof CLASSES;

/** Parts of a tenant that are about who may do what, as the second of three segments of a resource. */
const ENTITY_TYPES = {
  "client-tokens": "Client Token",
  roles: "Role",
  users: "User",
  "user-groups": "User Group",
} as const;
const OTHER_ACTIVITY = 99;
/** Of API Activity and of Entity Management; the audit does not tell making from changing. */
const ACTIVITIES: Readonly<Record<string, { activity_id: number; activity_name: string }>> = {
  read: { activity_id: 2, activity_name: "Read" },
  list: { activity_id: 2, activity_name: "Read" },
  write: { activity_id: 3, activity_name: "Update" },
  delete: { activity_id: 4, activity_name: "Delete" },
};
const LOGON = { activity_id: 1, activity_name: "Logon" };
const LOGOFF = { activity_id: 2, activity_name: "Logoff" };
const SEVERITIES = {
  success: { severity_id: 1, severity: "Informational" },
  failure: { severity_id: 2, severity: "Low" },
  denied: { severity_id: 3, severity: "Medium" },
} as const;
const USER_TYPES: Readonly<Record<string, { type_id: number; type: string }>> = {
  user: { type_id: 1, type: "User" },
  system: { type_id: 3, type: "System" },
  token: { type_id: 99, type: "Client Token" },
};

/** A row of the audit as an OCSF event. */
export function toOcsfEvent(row: AuditLogView): Record<string, unknown> {
  const signOn = signOnOf(row);
  const entity = entityType(row);
  const kind: Class = signOn !== null ? "authentication" : entity !== null ? "entity" : "api";
  const { class_uid, ...ofClass } = CLASSES[kind];
  const activity = signOn ?? activityOf(row.action);
  const isDone = row.outcome === "success";
  return {
    ...activity,
    ...ofClass,
    class_uid,
    type_uid: class_uid * 100 + activity.activity_id,
    time: Date.parse(row.created_at),
    ...SEVERITIES[row.outcome],
    status_id: isDone ? 1 : 2,
    status: isDone ? "Success" : "Failure",
    status_detail: row.outcome,
    message: row.summary,
    actor: { user: userOf(row) },
    src_endpoint: row.ip === "" ? { name: "unknown" } : { ip: row.ip },
    metadata: {
      version: OCSF_VERSION,
      product: { name: "Conflux", vendor_name: "Conflux" },
      uid: `${row.tenant}/${row.id}`,
      tenant_uid: row.tenant,
      correlation_uid: row.trace_id,
      sequence: row.seq,
      log_name: "audit",
    },
    ...subjectOf(kind, row, entity),
    unmapped: { prev_hash: row.prev_hash, hash: row.hash, position: row.position },
  };
}

function activityOf(action: string): { activity_id: number; activity_name: string } {
  const known = Object.hasOwn(ACTIVITIES, action) ? ACTIVITIES[action] : undefined;
  return known ?? { activity_id: OTHER_ACTIVITY, activity_name: action };
}

/** Null for what neither begins nor ends a session. */
function signOnOf({ tenant, action, resource }: AuditLogView): typeof LOGON | null {
  if (action === "login") return LOGON;
  return tenant === SYSTEM_TENANT && resource === "sessions" && action === "delete" ? LOGOFF : null;
}

/**
 * What kind of entity a row is about; null for what is none, like a config. A tenant's name alone is none: it stands for what
 * belongs to the tenant as a whole, and rows of builds before had it for changes of its roles and users. Names of applications
 * are free, so an entity shows by its id.
 */
function entityType({ tenant, action, resource, outcome }: AuditLogView): string | null {
  const [first = "", second, third, ...rest] = resource.split("/");
  if (rest.length > 0) return null;
  if (tenant === SYSTEM_TENANT) {
    if (first === "users" && third === undefined) return ENTITY_TYPES.users;
    return first === SYSTEM_TENANT && second === "tenants" && third !== undefined ? "Tenant" : null;
  }
  if (second === undefined) return null;
  if (third === undefined) {
    // A refusal names what had to be held for it, which may have been about something else in the application.
    const isWrite = outcome === "success" && (action === "write" || action === "delete");
    return isWrite ? "Application" : null;
  }
  const isId = second === "users" ? third.startsWith("usr_") : tenantOfId(third) === first;
  return isId && isEntity(second) ? ENTITY_TYPES[second] : null;
}

const isEntity = (segment: string): segment is keyof typeof ENTITY_TYPES =>
  Object.hasOwn(ENTITY_TYPES, segment);

function userOf({ actor }: AuditLogView) {
  if (actor.id === "" && actor.name === "") return { name: "anonymous", type_id: 0, type: "Unknown" };
  return {
    uid: actor.id,
    name: actor.name,
    ...(USER_TYPES[actor.type] ?? { type_id: 99, type: actor.type }),
  };
}

/** What an event of its class must say besides. */
function subjectOf(kind: Class, row: AuditLogView, entity: string | null): Record<string, unknown> {
  if (kind === "authentication") return { user: userOf(row), service: { name: "Conflux" }, is_remote: true };
  if (kind === "entity") {
    return {
      entity: { uid: row.resource, name: row.resource.split("/").at(-1), type: entity },
    };
  }
  return {
    api: { operation: row.action, service: { name: "Conflux" } },
    resources: [{ uid: row.resource, name: row.resource }],
  };
}
