/**
 * The read scopes that a token of `tenant` really has: a wildcard in the first segment means its own tenant, a scope
 * that names another tenant grants nothing, and neither does an unknown verb. After this, `scopesAllowRead` alone
 * decides, wherever the scopes travel.
 */
export function scopesWithinTenant(scopes: readonly string[], tenant: string): string[] {
  return scopes.flatMap((scope) => {
    if (!scope.startsWith("read:")) return [];
    const [first, ...rest] = scope.slice("read:".length).split("/");
    if (first === "**") return rest.length === 0 ? [`read:${tenant}/**`] : [];
    if (first !== "*" && first !== tenant) return [];
    return [`read:${[tenant, ...rest].join("/")}`];
  });
}
