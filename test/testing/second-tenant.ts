/** A tenant beside the stack's own, made as an operator would, with a user, a config and a token of its own. */
import { WINDOW_REQUESTS_MAX } from "../../domain/quota/sliding-window.ts";
import type { Stack } from "./stack.ts";
import { admin, adminOk, type Answer } from "./stack-client.ts";

export interface SecondTenant {
  name: string;
  /** An access token of its only user. */
  accessToken: string;
  /** A client token that reads all of it. */
  clientToken: string;
  /** A request of its user at the admin API; throws unless it succeeds. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
}

/** `hasDefaultQuotas`: as any new tenant; otherwise it may send as much as the demo tenant, which a test that polls needs. */
export async function makeSecondTenant(
  stack: Stack,
  name: string,
  options: { hasDefaultQuotas?: boolean } = {},
): Promise<SecondTenant> {
  const user = { username: `${name}-admin`, password: `the password of ${name}` };
  const quotas =
    options.hasDefaultQuotas === true ? {} : { max_api_requests_per_minute: WINDOW_REQUESTS_MAX };
  await adminOk(stack, "POST", "/tenants", { name, admin: user, ...quotas });
  const login = await admin(stack, "POST", "/auth/login", user);
  const accessToken = String(login.json["access_token"]);
  const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
    adminOk(stack, method, path, body, { authorization: `Bearer ${accessToken}` });
  const issued = await ask("POST", "/auth/client-tokens", {
    name: "all of it",
    scopes: [`read:${name}/**`],
    ttl_seconds: 3600,
  });
  return { name, accessToken, clientToken: String(issued.json["token"]), ask };
}
