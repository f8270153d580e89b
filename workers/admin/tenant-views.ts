import type { TenantQuotas, TenantRow } from "../../adapters/postgres/tenant-rows.ts";
import type { TenantView } from "../../contracts/access/tenants-api.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { configEtag } from "./command-head.ts";
import { omitUndefined } from "./omit-undefined.ts";

/** Tenants as such belong to no tenant: who operates the installation makes them and sets their quotas. */
export const TENANTS_RESOURCE = `${SYSTEM_TENANT}/tenants`;
/** One of them, as the audit names it. */
export const tenantResource = (tenant: string): string => `${TENANTS_RESOURCE}/${tenant}`;
export const TENANTS_PATH = "/api/v1/tenants";

export function viewTenant(row: TenantRow): TenantView {
  return {
    name: row.tenantId,
    cluster_id: row.clusterId,
    max_configs: row.maxConfigs,
    max_config_size_bytes: row.maxConfigSizeBytes,
    max_api_requests_per_minute: row.maxApiRequestsPerMinute,
    created_at: row.createdAt.toISOString(),
    etag: configEtag(row.revision),
  };
}

/** The quotas of a request as the database names them. */
export function quotasOf(request: {
  max_configs?: number | undefined;
  max_config_size_bytes?: number | undefined;
  max_api_requests_per_minute?: number | undefined;
}): TenantQuotas {
  return omitUndefined({
    maxConfigs: request.max_configs,
    maxConfigSizeBytes: request.max_config_size_bytes,
    maxApiRequestsPerMinute: request.max_api_requests_per_minute,
  });
}
