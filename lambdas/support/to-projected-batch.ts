import type { FeedEntry, PublishChanged } from "../../domain/command/feed-entry.ts";
import { configTypeOf } from "../../domain/publish/config-type.ts";
import { ALL_REGIONS } from "../../domain/publish/gray-groups.ts";
import type { AuditRow } from "../../adapters/postgres/append-audit-rows.ts";
import type { PublishMove } from "../../adapters/postgres/append-publish-history.ts";
import type { ProjectedBatch } from "../../adapters/postgres/project-feed-batch.ts";

type Position = PublishMove["position"];

/** The rows of entries of one cluster's feed: a row of the audit for each, a move for each that a plan made. */
export function toProjectedBatch(
  entries: readonly FeedEntry[],
  clusterId: string,
  epochOf: (index: number) => number,
): ProjectedBatch {
  const placed = entries.map((entry) => {
    return { entry, position: { clusterId, epoch: epochOf(entry.index), logIndex: entry.index } };
  });
  return {
    audit: placed.map(({ entry, position }) => toAuditRow(entry, position)),
    moves: placed.flatMap(({ entry, position }) => toMoves(entry, position)),
    restores: placed.flatMap(({ entry }) =>
      entry.events.flatMap((event) =>
        event.type === "state_restored"
          ? [{ clusterId, epoch: event.epoch, firstIndex: entry.index, restoredIndex: event.restored_index }]
          : [],
      ),
    ),
  };
}

function toAuditRow(entry: FeedEntry, position: Position): AuditRow {
  const { actor, ip, action, resource, summary, outcome = "success" } = entry.audit;
  return {
    tenant: entry.tenant,
    actor,
    ip,
    action,
    resource,
    outcome,
    traceId: entry.trace_id,
    summary,
    position,
    createdAtMs: entry.timestamp_ms,
  };
}

function toMoves(entry: FeedEntry, position: Position): PublishMove[] {
  return entry.events
    .filter((event) => event.type === "publish_changed")
    .map((event, place) => ({
      position,
      place,
      publishId: event.publish_id,
      configId: event.config_id,
      namespace: event.namespace,
      name: event.name,
      configType: configTypeOf(event.namespace),
      versionId: event.version_id,
      previousVersionId: event.previous_version_id,
      fromStatus: event.from,
      status: event.to,
      stage: event.stage ?? null,
      grayGroups: event.gray_groups ?? groupsOfOlder(event),
      cause: event.cause,
      reason: event.reason ?? null,
      operator: entry.audit.actor,
      createdAtMs: entry.timestamp_ms,
    }));
}

/** What an entry of an older build tells: the regions of the stage that the plan is in, without those before it. */
function groupsOfOlder({ to, regions }: PublishChanged): string[] {
  if (to === "aborted" || to === "deprecated") return [];
  return regions ?? [ALL_REGIONS];
}
