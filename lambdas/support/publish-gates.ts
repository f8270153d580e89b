import { createApprovalGate } from "../../adapters/publish-gate/approval-gate.ts";
import { createDeliveryGate } from "../../adapters/publish-gate/delivery-gate.ts";
import { createWebhookGate } from "../../adapters/publish-gate/webhook-gate.ts";
import type { Database } from "../../adapters/postgres/connect.ts";
import { readGateReports } from "../../adapters/postgres/read-gate-reports.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import type { CorePort } from "../../contracts/core/core-port.ts";
import type { PublishGatePorts } from "../../contracts/publish/publish-gate-port.ts";
import type { PostWebhook } from "../../contracts/publish/webhook-api.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { Config } from "../../domain/config/config.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";

/** Clients without the version that were not heard of for so long are left out, as in the overview of delivery. */
const OTHERS_SEEN_MS = 24 * 60 * 60 * 1000;

/** The gates as they are deployed: reports from Postgres, webhooks by `post`. */
export function createPublishGates(deps: {
  core: Pick<CorePort, "getConfig">;
  database: Database;
  post: PostWebhook;
  serviceKey: string;
  nowMs: () => number;
}): PublishGatePorts {
  return {
    approval: createApprovalGate(),
    webhook: createWebhookGate(deps),
    delivery_reports: createDeliveryGate(async (plan) => {
      const { config } = await deps.core.getConfig(plan.config_id);
      const { tenant } = plan.namespace;
      return withTenant(deps.database, tenant, (tx) =>
        readGateReports(tx, {
          tenant,
          config: fullName(plan.namespace, plan.name),
          versionId: plan.version_id,
          otherVersionIds: otherVersions(config, plan),
          latestVersionId: config.latest_version_id,
          versionSinceMs: plan.created_at_ms,
          othersSinceMs: Math.max(config.created_at_ms, deps.nowMs() - OTHERS_SEEN_MS),
        }),
      );
    }),
  };
}

/**
 * The versions that the config's rules give besides the plan's. What clients said of others, such as one that was aborted
 * before, is no word on what those without the plan's version have.
 */
function otherVersions({ releases }: Pick<Config, "releases">, plan: PublishPlan): number[] {
  const given = new Set(releases.map(({ version_id }) => version_id));
  given.delete(plan.version_id);
  return [...given];
}
