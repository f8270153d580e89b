import { wholeColumns } from "../../domain/gray-config/gray-content.ts";
import { effectiveGrayGroups, grayStatus } from "../../domain/gray-config/gray-status.ts";
import { grayVersionId } from "../../domain/gray-config/gray-version-id.ts";
import { toTime } from "./config-views.ts";
import type { GrayVersion } from "./gray-read.ts";
import type { GrayResource } from "./gray-resources.ts";

/** A version of a typed config as answers show it: every column of seed 000, the secret's always null. */
export function viewGray(
  { kind }: GrayResource,
  { config, version, content, plans }: GrayVersion,
  regions: readonly string[],
): Record<string, unknown> {
  const secret = {
    loghub_accesskey_secret: null,
    loghub_accesskey_secret_set: content.sealedSecret !== null,
  };
  return {
    id: config.id,
    config_type: kind,
    tenant: config.namespace.tenant,
    name: config.name,
    version_id: grayVersionId(config.id, version.version_id),
    ...wholeColumns(kind, content.columns),
    ...(kind === "data-source" ? secret : {}),
    status: grayStatus(config, version, plans),
    effective_gray_groups: effectiveGrayGroups(config, version.version_id, regions),
    gmt_create: toTime(version.created_at_ms),
    gmt_modified: toTime(version.edited_at_ms ?? version.created_at_ms),
  };
}
