import { z } from "zod";
import { PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { CHAIN_FAULTS } from "../../domain/access/verify-chain.ts";
import { isConfigName, NAME_CHARACTERS_MAX, NAME_RULE } from "../../domain/config/config-name.ts";
import { cursorQuery, limitQuery, NO_CONTROL_CHARACTERS } from "./auth-api.ts";

const FILTER_CHARACTERS_MAX = 520;
const TIME_CHARACTERS_MAX = 64;
const text = z
  .string()
  .min(1)
  .max(FILTER_CHARACTERS_MAX)
  .regex(NO_CONTROL_CHARACTERS, "must have no control characters")
  .optional();
const instant = z.iso.datetime({ offset: true }).max(TIME_CHARACTERS_MAX).optional();
/** Operators may name what belongs to no tenant, too. */
const tenant = z
  .string()
  .max(NAME_CHARACTERS_MAX, { error: NAME_RULE, abort: true })
  .refine((name) => name === SYSTEM_TENANT || isConfigName(name), NAME_RULE)
  .optional();

const AUDIT_OUTCOMES = ["success", "failure", "denied"] as const;

const filters = {
  tenant,
  /** Id or name of the actor. */
  user: text,
  action: z.enum([...PERMISSION_ACTIONS, "login"]).optional(),
  /** A resource, or a pattern with `*` (one segment) and a last `**` (the rest). */
  resource: text,
  outcome: z.enum(AUDIT_OUTCOMES).optional(),
  /** Inclusive. */
  from: instant,
  /** Exclusive. */
  to: instant,
};

export const auditQuery = z.object({ ...filters, limit: limitQuery, cursor: cursorQuery });

export const AUDIT_FORMATS = ["jsonl", "csv", "ocsf"] as const;
export type AuditFormat = (typeof AUDIT_FORMATS)[number];
export const auditExportQuery = z.object({ ...filters, format: z.enum(AUDIT_FORMATS).default("jsonl") });

export const auditVerifyQuery = z.object({ tenant, cursor: cursorQuery });

export const auditLogView = z
  .object({
    id: z.string(),
    tenant: z.string(),
    actor: z.object({ type: z.string(), id: z.string(), name: z.string() }),
    ip: z.string(),
    action: z.string(),
    resource: z.string(),
    outcome: z.enum(AUDIT_OUTCOMES),
    trace_id: z.string(),
    summary: z.string(),
    /** Where the log holds what this row is about; null for acts that are not in the log. */
    position: z.object({ cluster_id: z.string(), epoch: z.int(), index: z.int() }).nullable(),
    created_at: z.iso.datetime(),
    /** The row's place in its tenant's chain, the hash of the row before it and its own. */
    seq: z.int(),
    prev_hash: z.string(),
    hash: z.string(),
  })
  .meta({ id: "AuditLog" });
export type AuditLogView = z.infer<typeof auditLogView>;

export const auditLogList = z
  .object({ items: z.array(auditLogView), next_cursor: z.string().nullable() })
  .meta({ id: "AuditLogList" });

export const auditVerification = z
  .object({
    tenant: z.string(),
    /** Rows that were found as they were written, by this request. */
    verified: z.int(),
    /** The last of them; seq 0 when there is none. */
    last: z.object({ seq: z.int(), hash: z.string() }),
    /** False: go on with `resume_cursor`. */
    complete: z.boolean(),
    resume_cursor: z.string().nullable(),
    anchors: z.object({
      /** Anchors of the log that this request's rows were held against, and fitted. */
      met: z.int(),
      /** The newest one; rows after it could be cut off unseen. Null: this chain was never anchored. */
      newest: z.object({ seq: z.int(), hash: z.string(), anchored_at: z.iso.datetime() }).nullable(),
    }),
    /** The first row that is not as it was written; null: none is. */
    finding: z.object({ seq: z.int(), kind: z.enum(CHAIN_FAULTS), detail: z.string() }).nullable(),
  })
  .meta({ id: "AuditVerification" });
export type AuditVerification = z.infer<typeof auditVerification>;
