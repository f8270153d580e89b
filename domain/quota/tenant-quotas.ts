/** What a tenant may use (A6); the columns of `tenants`. */
export interface TenantQuotas {
  /** Configs that it may have. */
  maxConfigs: number;
  /** Bytes of one version's content. */
  maxConfigSizeBytes: number;
  /** Authenticated requests to the admin API in any minute. */
  maxApiRequestsPerMinute: number;
}
