import type { Context } from "hono";
import { readTenantQuotas } from "../../adapters/postgres/read-tenant-quotas.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { TenantQuotas } from "../../domain/quota/tenant-quotas.ts";
import type { AuthDeps } from "./auth-deps.ts";
import type { AdminEnv } from "./principal.ts";

/** Reads a tenant's quotas. The answer is not kept: what is written goes by the limit of the moment. */
export function quotasOf(
  deps: Pick<AuthDeps, "database">,
): (c: Context<AdminEnv>, tenant: string) => Promise<TenantQuotas> {
  return async (c, tenant) => {
    const quotas = await withTenant(deps.database(c), tenant, (tx) => readTenantQuotas(tx, tenant));
    if (quotas === null) throw new ConfluxError("not_found", `no tenant ${tenant}`);
    return quotas;
  };
}

/** Refuses (`payload_too_large`) content over the tenant's `max_config_size_bytes`. */
export function refuseOverSize(bytes: Uint8Array, { maxConfigSizeBytes: max }: TenantQuotas): void {
  if (bytes.byteLength <= max) return;
  throw new ConfluxError("payload_too_large", "The content is larger than the tenant may have it", {
    errors: [{ path: "/content", message: `${bytes.byteLength} bytes; max_config_size_bytes is ${max}` }],
  });
}
