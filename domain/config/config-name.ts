/** Names of tenants, apps, envs and configs: case-sensitive, no slash, no `..` (so that a name is a safe path segment). */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$/;
export const NAME_CHARACTERS_MAX = 128;
export const NAME_RULE =
  "1-128 characters of A-Z a-z 0-9 . _ ~ -, beginning with a letter or digit, without '..'";

export function isConfigName(name: string): boolean {
  return NAME.test(name) && !name.includes("..");
}

export interface Namespace {
  tenant: string;
  app: string;
  env: string;
}

/** `tenant/app/env/name`: how clients, scopes and events name a config. */
export function fullName(namespace: Namespace, name: string): string {
  return `${namespace.tenant}/${namespace.app}/${namespace.env}/${name}`;
}

/** Parses `tenant/app/env/name`; null when a segment is missing, surplus or not a name. */
export function parseFullName(text: string): { namespace: Namespace; name: string } | null {
  const parts = text.split("/");
  if (parts.length !== 4 || !parts.every(isConfigName)) return null;
  const [tenant, app, env, name] = parts as [string, string, string, string];
  return { namespace: { tenant, app, env }, name };
}

/** What some configs of a tenant share of their names; `*` in the place of what they do not. */
export function sharedPlace(configs: readonly { app: string; env: string; name: string }[]): {
  app: string;
  env: string;
  name: string;
} {
  const only = (part: "app" | "env" | "name"): string => {
    const values = new Set(configs.map((config) => config[part]));
    return values.size === 1 ? ([...values][0] ?? "*") : "*";
  };
  return { app: only("app"), env: only("env"), name: only("name") };
}
