import type { Context, MiddlewareHandler } from "hono";
import type { IndexSigner } from "../../adapters/index-signature/index-signer.ts";
import type { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CorePort } from "../../contracts/core/core-port.ts";
import type { PermissionAction } from "../../domain/access/permits.ts";
import type { Actor } from "../../domain/command/command.ts";
import type { TenantQuotas } from "../../domain/quota/tenant-quotas.ts";
import type { Refusal } from "./refusal.ts";
import type { RouteCheck } from "./route-access.ts";

/**
 * Who makes a request, as authentication has established it. `authenticate` puts one into the request's context;
 * a handler behind it can rely on it being there.
 */
export interface Principal {
  /** Goes into every command and so into the audit. */
  actor: Actor;
  /** When the caller's token was issued. */
  issuedAtMs: number;
  /** Address the request came from, as the platform reports it; empty when unknown. */
  ip: string;
  /**
   * Whether a role of the caller grants `action` on `resource` (`tenant/app/env/name`, or a shorter path;
   * a segment `*` in the resource asks for every name at that place, which only a pattern with `*` or `**` grants).
   * Rejects with `unavailable` when permissions cannot be read: nobody is let in by an outage.
   */
  allows(action: PermissionAction, resource: string): Promise<boolean>;
  /**
   * Whether the session is over though its token is not: the user is gone or inactive, or the token was called in, with all
   * others by a restore. Rejects with `unavailable` when nobody can tell.
   */
  hasEnded(): Promise<boolean>;
}

/** One line of the log: JSON data, with the trace id of the request that it is about. */
export type LogLine = Record<string, string | number | boolean | null>;

/**
 * The KMS keys of a tenant's applications, or of one, by name; an application without one is left out. Rejects with
 * `unavailable` when nobody can tell.
 */
export type ApplicationKeys = (
  c: Context<AdminEnv>,
  tenant: string,
  app?: string,
) => Promise<Record<string, string>>;

/** Everything the admin app needs from outside. main.ts makes it from the Worker's environment, tests from parts. */
export interface AdminDeps {
  core: CorePort;
  indexSigner: IndexSigner;
  /** Key of the digests of request bodies that idempotent replay compares; at least 16 characters. */
  idempotencyKey: string;
  /** The regions a rule can name and a client can be in. */
  regions: readonly string[];
  /** Sets `principal` or throws `unauthenticated` / `unavailable`. */
  authenticate: MiddlewareHandler<AdminEnv>;
  /** The quotas of a tenant as the database has them now. Rejects with `unavailable`, or `not_found` without such a tenant. */
  quotasOf: (c: Context<AdminEnv>, tenant: string) => Promise<TenantQuotas>;
  applicationKeys: ApplicationKeys;
  /** The tenant that a request is about: the one named, else the only one in which the caller holds a role. */
  tenantOf: (c: Context<AdminEnv>, named: string | undefined) => Promise<string>;
  /** What /readyz asks, by name; each rejects or answers false when the part is not there. */
  readiness: Readonly<Record<string, () => Promise<boolean>>>;
  /** Takes a refusal into the audit, after the answer: nobody waits for it. */
  noteRefusal: (c: Context<AdminEnv>, refusal: Refusal) => void;
  log: (line: LogLine) => void;
}

/** What middleware puts into a request's context (`c.var`). */
export interface AdminVariables {
  principal: Principal;
  /** What the route declares, and whether the caller has been found to have it. */
  check: RouteCheck;
  /** 32 hex digits: in the answer, in every problem, in commands, audit rows and log lines. */
  traceId: string;
  /** W3C `traceparent` to pass on to the core. */
  traceparent: string;
  /** The request's body as it came; empty when there is none. */
  bodyBytes: Uint8Array;
  /** The permission that was asked for last. */
  asked?: { action: PermissionAction; resource: string; granted: boolean };
  /** What the request was refused with, if it was. */
  refused?: ConfluxError;
  /** The app's dependencies, for handlers that are declared before the app exists. */
  deps: AdminDeps;
}

/** Hono environment of the admin app. */
export interface AdminEnv {
  Variables: AdminVariables;
}
