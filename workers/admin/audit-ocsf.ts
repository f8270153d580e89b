import type { AuditLogView } from "../../contracts/access/audit-api.ts";

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

/** Parts of a tenant that are about who may do what, by the second segment of the resource. */
const ENTITY_TYPES: Readonly<Record<string, string>> = {
  applications: "Application",
  "client-tokens": "Client Token",
  permissions: "Permission",
  roles: "Role",
  users: "User",
  "user-groups": "User Group",
};
const OTHER_ACTIVITY = 99;
/** Of API Activity and of Entity Management; the audit does not tell making from changing. */
const ACTIVITIES: Readonly<Record<string, { activity_id: number; activity_name: string }>> = {
  read: { activity_id: 2, activity_name: "Read" },
  list: { activity_id: 2, activity_name: "Read" },
  write: { activity_id: 3, activity_name: "Update" },
  delete: { activity_id: 4, activity_name: "Delete" },
};
const SIGN_ONS: Readonly<Record<string, { activity_id: number; activity_name: string }>> = {
  login: { activity_id: 1, activity_name: "Logon" },
  logout: { activity_id: 2, activity_name: "Logoff" },
};
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
  const kind = classOf(row);
  const { class_uid, ...ofClass } = CLASSES[kind];
  const activity = (kind === "authentication" ? SIGN_ONS : ACTIVITIES)[row.action] ?? {
    activity_id: OTHER_ACTIVITY,
    activity_name: row.action,
  };
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
    ...subjectOf(kind, row),
    unmapped: { prev_hash: row.prev_hash, hash: row.hash, position: row.position },
  };
}

function classOf({ action, resource }: AuditLogView): Class {
  if (action in SIGN_ONS) return "authentication";
  return entityType(resource) === null ? "api" : "entity";
}

/** What kind of entity a resource is; null for what is none, like a config. A tenant alone is one. */
function entityType(resource: string): string | null {
  const [first = "", second] = resource.split("/");
  if (second === undefined) return ENTITY_TYPES[first] ?? "Tenant";
  return ENTITY_TYPES[second] ?? null;
}

function userOf({ actor }: AuditLogView) {
  if (actor.id === "" && actor.name === "") return { name: "anonymous", type_id: 0, type: "Unknown" };
  return {
    uid: actor.id,
    name: actor.name,
    ...(USER_TYPES[actor.type] ?? { type_id: 99, type: actor.type }),
  };
}

/** What an event of its class must say besides. */
function subjectOf(kind: Class, row: AuditLogView): Record<string, unknown> {
  if (kind === "authentication") return { user: userOf(row), service: { name: "Conflux" }, is_remote: true };
  if (kind === "entity") {
    return {
      entity: { uid: row.resource, name: row.resource.split("/").at(-1), type: entityType(row.resource) },
    };
  }
  return {
    api: { operation: row.action, service: { name: "Conflux" } },
    resources: [{ uid: row.resource, name: row.resource }],
  };
}
