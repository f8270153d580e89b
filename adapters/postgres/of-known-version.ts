import { and, isNull, lte, or, type SQL } from "drizzle-orm";
import { deliveryClients } from "../../migrations/schema.ts";

/**
 * Reports on versions up to the config's latest one, which the core knows: others, that nobody can have been given, are left
 * out wherever clients are counted or shown. (Of a version that a restore from a backup undid, too.)
 */
export function ofKnownVersion(latestVersionId: number): SQL | undefined {
  const { versionId, runningVersionId } = deliveryClients;
  return and(
    lte(versionId, latestVersionId),
    or(isNull(runningVersionId), lte(runningVersionId, latestVersionId)),
  );
}
