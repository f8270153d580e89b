import { isConfigName } from "../config/config-name.ts";

/**
 * Resource patterns: segments joined by `/`; `*` matches exactly one segment, `**` (last only) matches one or more.
 * Everything else is literal and case-sensitive.
 */
export function isResourcePattern(pattern: string): boolean {
  const segments = pattern.split("/");
  return (
    segments.length <= 4 &&
    segments.every((s, i) => s === "*" || (s === "**" && i === segments.length - 1) || isConfigName(s))
  );
}

/** Whether `pattern` covers `resource` (`tenant/app/env/name`, or a shorter path). */
export function matchesPattern(pattern: string, resource: string): boolean {
  const want = pattern.split("/");
  const have = resource.split("/");
  for (const [i, segment] of want.entries()) {
    if (segment === "**") return have.length > i;
    if (i >= have.length) return false;
    if (segment !== "*" && segment !== have[i]) return false;
  }
  return want.length === have.length;
}

/** Scopes of client tokens are `read:<pattern>`; an unknown verb grants nothing. */
export function scopesAllowRead(scopes: readonly string[], resource: string): boolean {
  return scopes.some((scope) => scope.startsWith("read:") && matchesPattern(scope.slice(5), resource));
}
