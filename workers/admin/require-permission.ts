import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { PermissionAction } from "../../domain/access/permits.ts";
import type { DeletedConfig } from "../../domain/config/config.ts";
import type { AdminEnv } from "./principal.ts";
import { type DeclaredPermission, isOfTemplate, resourceOf } from "./route-access.ts";

type Values = Readonly<Record<string, string | undefined>>;

/** Refuses (`unauthenticated`) a caller whose session has ended; for routes that ask for no permission. */
export async function requireSession(c: Context<AdminEnv>): Promise<void> {
  if (await c.var.principal.hasEnded()) throw sessionEnded();
  if ("authenticated" in c.var.check.access) c.var.check.passed = true;
}

export function sessionEnded(): ConfluxError {
  return new ConfluxError("unauthenticated", "The session has ended; sign in again.");
}

/**
 * Refuses (`forbidden`) a caller none of whose roles grants what the route declares, on the resource that `values` make
 * of it: nothing is granted to an ended session. A route that declares a permission and answers without having come
 * through here, or through one of its siblings, answers `internal` instead (declare-route.ts).
 */
export async function requireDeclared(c: Context<AdminEnv>, values: Values = {}): Promise<void> {
  const { action, resource, or } = declared(c);
  const wanted = resourceOf(resource, values);
  if (await holds(c, action, wanted)) return;
  if (or !== undefined && (await holds(c, action, resourceOf(or, values)))) return;
  c.set("asked", { action, resource: wanted, granted: false });
  throw await refusal(c, action, wanted);
}

/**
 * The same for what was named by an id alone. Who may not even read it is told `hidden`: what is told of an id that does not exist, word for word.
 */
export async function requireDeclaredOrHide(
  c: Context<AdminEnv>,
  values: Values,
  hidden: () => ConfluxError,
): Promise<void> {
  const { action, resource } = declared(c);
  const wanted = resourceOf(resource, values);
  if (await holds(c, action, wanted)) return;
  const mayRead = action !== "read" && (await c.var.principal.allows("read", wanted));
  throw mayRead ? await refusal(c, action, wanted) : await hiddenOrEnded(c, hidden());
}

/**
 * What a caller is told who may not even read what an id names: `hidden`, or that the session has ended, whatever the id
 * names. A script that runs on over a restore would else be told that its configs are gone.
 */
export async function hiddenOrEnded(c: Context<AdminEnv>, hidden: ConfluxError): Promise<ConfluxError> {
  return (await c.var.principal.hasEnded()) ? sessionEnded() : hidden;
}

/** Where nobody has anything: what is asked there is asked for the time that it takes. */
const NOWHERE = "nobody/nothing/at/all";

/**
 * What is to be told of an id that nobody has, after all that `requireDeclaredOrHide` does for one that is another
 * tenant's, so that the time of an answer does not tell the two apart either.
 */
export async function askInVain(c: Context<AdminEnv>, hidden: ConfluxError): Promise<ConfluxError> {
  const { action } = declared(c);
  await c.var.principal.allows(action, NOWHERE);
  if (action !== "read") await c.var.principal.allows("read", NOWHERE);
  return hiddenOrEnded(c, hidden);
}

/** What the route declares, of a config that was found by its id. */
export function requireDeclaredOfConfig(
  c: Context<AdminEnv>,
  config: Pick<DeletedConfig, "namespace" | "name">,
  hidden: () => ConfluxError,
): Promise<void> {
  return requireDeclaredOrHide(c, { ...config.namespace, name: config.name }, hidden);
}

/** Refuses (`forbidden`) a caller none of whose roles grants `action` on `resource`: for what a route needs besides. */
export async function requirePermission(
  c: Context<AdminEnv>,
  action: PermissionAction,
  resource: string,
): Promise<void> {
  if (!(await holds(c, action, resource))) throw await refusal(c, action, resource);
}

/** What the route of a request declares. */
export function declaredAction(c: Context<AdminEnv>): PermissionAction {
  return declared(c).action;
}

function declared(c: Context<AdminEnv>): DeclaredPermission {
  const { access } = c.var.check;
  if (!("action" in access)) throw new Error("the route declares no permission");
  return access;
}

/** Asks, leaves word of it for the audit of a refusal, and notes that what the route declares has been found. */
export async function holds(
  c: Context<AdminEnv>,
  action: PermissionAction,
  resource: string,
): Promise<boolean> {
  const granted = await c.var.principal.allows(action, resource);
  c.set("asked", { action, resource, granted });
  if (!granted) return false;
  const { check } = c.var;
  if ("action" in check.access && check.access.action === action) {
    const { resource: template, or } = check.access;
    if (isOfTemplate(template, resource) || (or !== undefined && isOfTemplate(or, resource)))
      check.passed = true;
  }
  return true;
}

async function refusal(
  c: Context<AdminEnv>,
  action: PermissionAction,
  resource: string,
): Promise<ConfluxError> {
  if (await c.var.principal.hasEnded()) return sessionEnded();
  return new ConfluxError("forbidden", `You need the permission ${action} on ${resource}`);
}

export function configNotFound(id: string): ConfluxError {
  return new ConfluxError("not_found", `no config ${id}`);
}
