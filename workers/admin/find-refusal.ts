import type { Context } from "hono";
import { type ConfluxError, type ErrorCode, STATUS_BY_CODE } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { tenantOfId } from "../../domain/access/tenant-scoped-id.ts";
import type { Actor } from "../../domain/command/command.ts";
import { isConfigName } from "../../domain/config/config-name.ts";
import { clientIp } from "./authenticate.ts";
import type { AdminEnv } from "./principal.ts";
import type { Refusal } from "./refusal.ts";

/** `write`: a failure if it would have written something; a read that was only wrong is nobody's business. */
type Kind = "denied" | "write" | "not_audited";
/** Every code is decided upon. Those of 5xx are no refusals: the log lines and the log itself tell what became of them. */
const KIND_BY_CODE: Record<ErrorCode, Kind> = {
  unauthenticated: "denied",
  forbidden: "denied",
  rate_limited: "denied",
  quota_exceeded: "denied",
  validation_failed: "write",
  malformed_request: "write",
  not_found: "write",
  already_exists: "write",
  conflict: "write",
  idempotency_conflict: "write",
  publish_running: "write",
  approval_required: "write",
  change_frozen: "write",
  invalid_transition: "write",
  precondition_failed: "write",
  payload_too_large: "write",
  unsupported_media_type: "write",
  method_not_allowed: "not_audited",
  feed_ahead: "not_audited",
  feed_compacted: "not_audited",
  internal: "not_audited",
  not_proposed: "not_audited",
  outcome_unknown: "not_audited",
  upgrade_in_progress: "not_audited",
  key_service_unavailable: "not_audited",
  unavailable: "not_audited",
  index_not_reached: "not_audited",
};
const READ_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
const ACTION_BY_METHOD: Readonly<Record<string, string>> = { GET: "read", HEAD: "read", DELETE: "delete" };
const LOGIN_PATH = "/api/v1/auth/login";
const ANYONE: Actor = { type: "user", id: "", name: "" };

/** Bodies in which the tenant's name is looked for. */
const BODY_BYTES_MAX = 64 * 1024;
const PATH_CHARACTERS_MAX = 200;
/** Fields at fault that a summary names. */
const FIELDS_MAX = 10;
const FIELD_CHARACTERS_MAX = 60;

/** What the audit must be told of an answered request; null for nothing. */
export function findRefusal(c: Context<AdminEnv>): Refusal | null {
  const { refused, asked, principal } = c.var;
  if (refused === undefined) return null;
  const outcome = outcomeOf(c, refused);
  const isLogin = c.req.path === LOGIN_PATH;
  // A wrong password is written down by the route, which knows whose it is.
  if (outcome === null || (isLogin && refused.code === "unauthenticated")) return null;
  const path = c.req.path.slice(0, PATH_CHARACTERS_MAX);
  return {
    tenant: tenantOf(c),
    actor: (principal as typeof principal | undefined)?.actor ?? ANYONE,
    ip: (principal as typeof principal | undefined)?.ip ?? clientIp(c),
    action: isLogin ? "login" : (asked?.action ?? ACTION_BY_METHOD[c.req.method] ?? "write"),
    resource: isLogin ? "users" : (asked?.resource ?? path),
    outcome,
    traceId: c.var.traceId,
    summary: `${c.req.method} ${path}: ${summaryOf(refused)}`,
  };
}

function outcomeOf(c: Context<AdminEnv>, refused: ConfluxError): Refusal["outcome"] | null {
  const kind = KIND_BY_CODE[refused.code];
  if (kind === "not_audited") return null;
  // What one may not see is answered like what is not there.
  const isHidden = refused.code === "not_found" && c.var.asked?.granted === false;
  if (kind === "denied" || isHidden) return "denied";
  return READ_METHODS.has(c.req.method) ? null : "failure";
}

/** Status, code and the names of fields: what people wrote into them may be a secret. */
function summaryOf({ code, errors }: ConfluxError): string {
  const fields = errors.slice(0, FIELDS_MAX).map(fieldOf);
  const more = errors.length > FIELDS_MAX ? ` and ${errors.length - FIELDS_MAX} more` : "";
  return `${STATUS_BY_CODE[code]} ${code}${fields.length === 0 ? "" : ` at ${fields.join(", ")}${more}`}`;
}

/** The field of a request that is at fault. What is inside a content is its author's, names too: it may be a secret. */
function fieldOf({ path }: ConfluxError["errors"][number]): string {
  const inside = path.indexOf("/content/");
  const field = inside < 0 ? path : path.slice(0, inside + "/content".length);
  return (field || "/").slice(0, FIELD_CHARACTERS_MAX);
}

/** Whom the request was about, as far as it says; what it says is believed of known callers alone. */
function tenantOf(c: Context<AdminEnv>): string | null {
  if ((c.var.principal as unknown) === undefined) return null;
  const named = [
    c.var.asked?.resource.split("/")[0],
    c.req.query("tenant"),
    tenantInBody(c),
    tenantOfId(c.req.path.split("/").at(-1) ?? ""),
  ];
  return named.find((name) => name !== undefined && name !== null && isTenant(name)) ?? null;
}

function isTenant(name: string): boolean {
  return name === SYSTEM_TENANT || isConfigName(name);
}

function tenantInBody(c: Context<AdminEnv>): string | null {
  const bytes = c.var.bodyBytes as Uint8Array | undefined;
  if (bytes === undefined || bytes.byteLength === 0 || bytes.byteLength > BODY_BYTES_MAX) return null;
  try {
    const body = JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    const tenant = typeof body === "object" && body !== null && "tenant" in body ? body.tenant : null;
    return typeof tenant === "string" ? tenant : null;
  } catch {
    // No JSON names no tenant; the refusal is about that very thing.
    return null;
  }
}
