import type { Actor } from "../../domain/command/command.ts";
import type { AdminDeps } from "./deps.ts";

/** Actions a role may grant on a resource pattern (domain/access/scope.ts has the patterns). */
export const PERMISSION_ACTIONS = [
  "read",
  "write",
  "delete",
  "list",
  "publish",
  "approve",
  "execute",
] as const;
export type PermissionAction = (typeof PERMISSION_ACTIONS)[number];

/**
 * Who makes a request, as authentication has established it. `authenticate` puts one into the request's context;
 * a handler behind it can rely on it being there.
 */
export interface Principal {
  /** Goes into every command and so into the audit. */
  actor: Actor;
  /** Address the request came from, as the platform reports it; empty when unknown. */
  ip: string;
  /**
   * Whether a role of the caller grants `action` on `resource` (`tenant/app/env/name`, or a shorter path;
   * a segment `*` in the resource asks for every name at that place, which only a pattern with `*` or `**` grants).
   * Rejects with `unavailable` when permissions cannot be read: nobody is let in by an outage.
   */
  allows(action: PermissionAction, resource: string): Promise<boolean>;
}

/** What middleware puts into a request's context (`c.var`). */
export interface AdminVariables {
  principal: Principal;
  /** 32 hex digits: in the answer, in every problem, in commands, audit rows and log lines. */
  traceId: string;
  /** W3C `traceparent` to pass on to the core. */
  traceparent: string;
  /** The request's body as it came; empty when there is none. */
  bodyBytes: Uint8Array;
  /** The app's dependencies, for handlers that are declared before the app exists. */
  deps: AdminDeps;
}

/** Hono environment of the admin app. */
export interface AdminEnv {
  Variables: AdminVariables;
}
