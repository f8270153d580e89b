import { z } from "zod";
import { PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
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

export const auditQuery = z.object({
  /** Operators may name what belongs to no tenant, too. */
  tenant: z
    .string()
    .max(NAME_CHARACTERS_MAX, { error: NAME_RULE, abort: true })
    .refine((name) => name === SYSTEM_TENANT || isConfigName(name), NAME_RULE)
    .optional(),
  /** Id or name of the actor. */
  user: text,
  action: z.enum([...PERMISSION_ACTIONS, "login"]).optional(),
  /** A resource, or a pattern with `*` (one segment) and a last `**` (the rest). */
  resource: text,
  /** Inclusive. */
  from: instant,
  /** Exclusive. */
  to: instant,
  limit: limitQuery,
  cursor: cursorQuery,
});

export const auditLogView = z
  .object({
    id: z.string(),
    tenant: z.string(),
    actor: z.object({ type: z.string(), id: z.string(), name: z.string() }),
    ip: z.string(),
    action: z.string(),
    resource: z.string(),
    outcome: z.enum(["success", "failure", "denied"]),
    trace_id: z.string(),
    summary: z.string(),
    /** Where the log holds what this row is about; null for acts that are not in the log. */
    position: z.object({ cluster_id: z.string(), epoch: z.int(), index: z.int() }).nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: "AuditLog" });
export type AuditLogView = z.infer<typeof auditLogView>;

export const auditLogList = z
  .object({ items: z.array(auditLogView), next_cursor: z.string().nullable() })
  .meta({ id: "AuditLogList" });
