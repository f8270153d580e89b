import type { PermissionAction } from "../../domain/access/permits.ts";

/** Why a route asks for no token. */
export const PUBLIC_REASONS = {
  sign_in: "who signs in has no token yet",
  keys: "keys that verify tokens are public",
  health: "probes carry no token, and learn no more than whether parts answer",
  documentation: "tells no more than the source does",
} as const;

/** Why a signed-in user needs no particular permission: the session is asked for in any case. */
export const AUTHENTICATED_REASONS = {
  own: "answers, or changes, what is the caller's own; for more the handler asks for a permission",
  delegation: "hands on only what the caller holds, asked for piece by piece",
  cluster_health: "who is no operator is told no addresses",
} as const;

/**
 * Who may call a route. `resource` is a template of the resource's name: `{tenant}/{app}/{env}/{name}`, where
 * `{app or *}` asks for every name when the request gives none. `or` is another resource that will do in its place.
 * `also` says in words what a handler asks for besides.
 */
export type RouteAccess =
  | { public: keyof typeof PUBLIC_REASONS }
  | { authenticated: keyof typeof AUTHENTICATED_REASONS }
  | DeclaredPermission;

export interface DeclaredPermission {
  action: PermissionAction;
  resource: string;
  or?: string;
  also?: string;
}

/** What one request has been asked for so far. */
export interface RouteCheck {
  access: RouteAccess;
  /** Whether the caller has been found to have what the route declares. */
  passed: boolean;
}

const PLACEHOLDER = /\{(\w+)( or \*)?\}/g;

/** The resource that a template names with these values; throws when a value is missing, which is a fault of the handler. */
export function resourceOf(template: string, values: Readonly<Record<string, string | undefined>>): string {
  return template.replaceAll(PLACEHOLDER, (_, name: string, orAll: string | undefined) => {
    const value = values[name] ?? (orAll === undefined ? undefined : "*");
    if (value === undefined) throw new Error(`the resource ${template} needs ${name}`);
    return value;
  });
}

/** Whether `resource` can have been made from `template`. */
export function isOfTemplate(template: string, resource: string): boolean {
  const want = template.split("/");
  const have = resource.split("/");
  return (
    want.length === have.length && want.every((segment, i) => segment.startsWith("{") || segment === have[i])
  );
}
