/**
 * The tables of `NNNN_*.sql` as drizzle sees them: columns and types for typed queries. The SQL files are the truth
 * (they also hold policies, grants, checks and functions); `schema.pg.test.ts` fails when the two drift apart.
 */
import {
  bigint,
  boolean,
  customType,
  date,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
} from "drizzle-orm/pg-core";

/** As hex digits. */
const hex = customType<{ data: string; driverData: Uint8Array | string }>({
  dataType: () => "bytea",
  fromDriver: (value) =>
    typeof value === "string"
      ? value.replace(/^\\x/, "")
      : Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join(""),
});
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

export const clusters = pgTable("clusters", {
  id: text("id").primaryKey(),
  epoch: integer("epoch").notNull().default(1),
  tokensNotBefore: instant("tokens_not_before").notNull().default(new Date(0)),
  createdAt: instant("created_at").notNull().defaultNow(),
});

export const tenants = pgTable("tenants", {
  tenantId: text("tenant_id").primaryKey(),
  clusterId: text("cluster_id").notNull(),
  maxConfigs: integer("max_configs").notNull().default(1000),
  maxConfigSizeBytes: integer("max_config_size_bytes").notNull().default(102_400),
  maxApiRequestsPerMinute: integer("max_api_requests_per_minute").notNull().default(120),
  revision: integer("revision").notNull().default(1),
  createdAt: instant("created_at").notNull().defaultNow(),
});

/** Names that are not given a second time. */
export const deletedTenants = pgTable("deleted_tenants", {
  tenantId: text("tenant_id").primaryKey(),
  deletedAt: instant("deleted_at").notNull().defaultNow(),
});

export const applications = pgTable(
  "applications",
  {
    tenantId: text("tenant_id").notNull(),
    name: text("name").notNull(),
    kmsKeyId: text("kms_key_id"),
    revision: integer("revision").notNull().default(1),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.name] })],
);

export const users = pgTable("users", {
  id: text("id").primaryKey(),
  username: text("username").notNull(),
  email: text("email"),
  passwordHash: text("password_hash"),
  isActive: boolean("is_active").notNull().default(true),
  isOperator: boolean("is_operator").notNull().default(false),
  tokensNotBefore: instant("tokens_not_before").notNull().default(new Date(0)),
  revision: integer("revision").notNull().default(1),
  createdAt: instant("created_at").notNull().defaultNow(),
});

export const roles = pgTable(
  "roles",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    description: text("description").notNull().default(""),
    revision: integer("revision").notNull().default(1),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);

export const rbacAction = pgEnum("rbac_action", [
  "read",
  "write",
  "delete",
  "list",
  "publish",
  "approve",
  "execute",
]);

export const permissions = pgTable(
  "permissions",
  {
    tenantId: text("tenant_id").notNull(),
    roleId: text("role_id").notNull(),
    action: rbacAction("action").notNull(),
    resourcePattern: text("resource_pattern").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.roleId, t.action, t.resourcePattern] })],
);

export const userRoles = pgTable(
  "user_roles",
  {
    tenantId: text("tenant_id").notNull(),
    userId: text("user_id").notNull(),
    roleId: text("role_id").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.userId, t.roleId] })],
);

export const userGroups = pgTable(
  "user_groups",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    description: text("description").notNull().default(""),
    revision: integer("revision").notNull().default(1),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);

export const userGroupMembers = pgTable(
  "user_group_members",
  {
    tenantId: text("tenant_id").notNull(),
    groupId: text("group_id").notNull(),
    userId: text("user_id").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.groupId, t.userId] })],
);

export const userGroupRoles = pgTable(
  "user_group_roles",
  {
    tenantId: text("tenant_id").notNull(),
    groupId: text("group_id").notNull(),
    roleId: text("role_id").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.groupId, t.roleId] })],
);

export const clientTokens = pgTable(
  "client_tokens",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    scopes: text("scopes").array().notNull(),
    createdBy: text("created_by").notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    expiresAt: instant("expires_at").notNull(),
    revokedAt: instant("revoked_at"),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);

export const idempotencyKeys = pgTable(
  "idempotency_keys",
  {
    tenantId: text("tenant_id").notNull(),
    scope: text("scope").notNull(),
    digest: text("digest").notNull(),
    result: jsonb("result").notNull(),
    expiresAt: instant("expires_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.scope] })],
);

export const auditLogs = pgTable(
  "audit_logs",
  {
    tenantId: text("tenant_id").notNull(),
    id: bigint("id", { mode: "number" }).notNull().generatedAlwaysAsIdentity(),
    actorType: text("actor_type").notNull(),
    actorId: text("actor_id").notNull(),
    actorName: text("actor_name").notNull(),
    ip: text("ip").notNull(),
    action: text("action").notNull(),
    resource: text("resource").notNull(),
    outcome: text("outcome").notNull(),
    traceId: text("trace_id").notNull(),
    summary: text("summary").notNull(),
    clusterId: text("cluster_id"),
    epoch: integer("epoch"),
    logIndex: bigint("log_index", { mode: "number" }),
    createdAt: instant("created_at").notNull(),
    // The trigger `chain` makes these three.
    seq: bigint("seq", { mode: "number" }).notNull(),
    prevHash: hex("prev_hash").notNull(),
    hash: hex("hash").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);

export const publishHistory = pgTable(
  "publish_history",
  {
    tenantId: text("tenant_id").notNull(),
    clusterId: text("cluster_id").notNull(),
    epoch: integer("epoch").notNull(),
    logIndex: bigint("log_index", { mode: "number" }).notNull(),
    place: smallint("place").notNull(),
    publishId: text("publish_id").notNull(),
    configId: text("config_id").notNull(),
    app: text("app").notNull(),
    env: text("env").notNull(),
    name: text("name").notNull(),
    configType: text("config_type").notNull(),
    versionId: integer("version_id").notNull(),
    previousVersionId: integer("previous_version_id"),
    fromStatus: text("from_status"),
    status: text("status").notNull(),
    stage: smallint("stage"),
    grayGroups: text("gray_groups").array().notNull(),
    cause: text("cause").notNull(),
    reason: text("reason"),
    operator: text("operator").notNull(),
    operatorType: text("operator_type", { enum: ["user", "token", "system"] }).notNull(),
    operatorId: text("operator_id").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.clusterId, t.epoch, t.logIndex, t.place] })],
);

export const clusterRestores = pgTable(
  "cluster_restores",
  {
    clusterId: text("cluster_id").notNull(),
    epoch: integer("epoch").notNull(),
    firstIndex: bigint("first_index", { mode: "number" }).notNull(),
    restoredIndex: bigint("restored_index", { mode: "number" }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.clusterId, t.epoch] })],
);

export const deliveryClients = pgTable(
  "delivery_clients",
  {
    tenantId: text("tenant_id").notNull(),
    config: text("config").notNull(),
    clientId: text("client_id").notNull(),
    region: text("region").notNull(),
    versionId: integer("version_id").notNull(),
    state: text("state", { enum: ["applied", "rejected", "error"] }).notNull(),
    reason: text("reason"),
    runningVersionId: integer("running_version_id"),
    clusterId: text("cluster_id"),
    epoch: integer("epoch"),
    logIndex: bigint("log_index", { mode: "number" }),
    reportedAt: instant("reported_at").notNull(),
    seenAt: instant("seen_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.config, t.clientId] })],
);

export const configFetches = pgTable(
  "config_fetches",
  {
    tenantId: text("tenant_id").notNull(),
    config: text("config").notNull(),
    region: text("region").notNull(),
    lastFetchedAt: instant("last_fetched_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.config, t.region] })],
);

export const propagationLatency = pgTable(
  "propagation_latency",
  {
    tenantId: text("tenant_id").notNull(),
    config: text("config").notNull(),
    region: text("region").notNull(),
    day: date("day", { mode: "string" }).notNull(),
    leMs: integer("le_ms").notNull(),
    samples: bigint("samples", { mode: "number" }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.config, t.region, t.day, t.leMs] })],
);

export const loginSubjects = pgTable(
  "login_subjects",
  {
    tenantId: text("tenant_id").notNull(),
    subject: text("subject").notNull(),
    shard: smallint("shard").notNull(),
    failures: integer("failures").notNull().default(0),
    lastAt: instant("last_at").notNull(),
    lockedUntil: instant("locked_until").notNull().default(new Date(0)),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.subject] })],
);

export const loginAddresses = pgTable(
  "login_addresses",
  {
    tenantId: text("tenant_id").notNull(),
    subject: text("subject").notNull(),
    userId: text("user_id").notNull(),
    lastAt: instant("last_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.subject] })],
);

export const sessionFamilies = pgTable(
  "session_families",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    userId: text("user_id").notNull(),
    currentDigest: text("current_digest").notNull(),
    previousDigest: text("previous_digest"),
    repeatUntil: instant("repeat_until").notNull(),
    startedAt: instant("started_at").notNull(),
    usedAt: instant("used_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);

export const userIdentities = pgTable(
  "user_identities",
  {
    tenantId: text("tenant_id").notNull(),
    issuer: text("issuer").notNull(),
    externalId: text("external_id").notNull(),
    userId: text("user_id").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.issuer, t.externalId] })],
);

export const breakGlassGrants = pgTable(
  "break_glass_grants",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    userId: text("user_id").notNull(),
    codeDigest: text("code_digest").notNull(),
    reason: text("reason").notNull(),
    openedBy: text("opened_by").notNull(),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
    usedAt: instant("used_at"),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);
