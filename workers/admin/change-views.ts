import type {
  ChangeRequest,
  ChangeRequestHead,
  ChangeTarget,
} from "../../domain/change-request/change-request.ts";
import type { ChangeRules, FreezeWindow } from "../../domain/change-request/change-rules.ts";
import { stateAt } from "../../domain/change-request/find-change.ts";
import type {
  Actor,
  BatchItem,
  ChangeOperation,
  ChangeOperationKind,
  CommandPayloads,
  ContentRef,
} from "../../domain/command/command.ts";
import { configEtag } from "./command-head.ts";
import { toTime, viewSchema } from "./config-views.ts";
import { viewStageInputs } from "./publish-views.ts";

const MINUTES_OF_AN_HOUR = 60;
/** The words of the API for what a request asks for. */
const TYPE_BY_KIND = {
  put_releases: "releases",
  rollback: "rollback",
  start_publish: "publish",
  create_version: "version",
  delete_config: "delete",
  batch_releases: "batch",
  apply_bundle: "apply",
} as const satisfies Record<ChangeOperationKind, string>;

/** What a tenant asks of changes, as answers show it. */
export function viewChangeRules(rules: ChangeRules) {
  return {
    tenant: rules.tenant,
    approvals: rules.approvals,
    freezes: rules.freezes.map(viewFreeze),
    updated_at: rules.revision === 0 ? null : toTime(rules.updated_at_ms),
    etag: configEtag(rules.revision),
  };
}

function viewFreeze(window: FreezeWindow) {
  const { name, namespaces } = window;
  if (window.type === "absolute") {
    const { type, from_ms, until_ms } = window;
    return { type, name, namespaces, from: toTime(from_ms), until: toTime(until_ms) };
  }
  const { type, day, minute_of_day: minute, duration_minutes } = window;
  const time = [Math.floor(minute / MINUTES_OF_AN_HOUR), minute % MINUTES_OF_AN_HOUR]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
  return { type, name, namespaces, day, time, duration_minutes };
}

const viewPerson = ({ id, name }: Actor) => ({ id, name });

/** A change request as answers show it, without its operation. `expired` is said at once, the state follows later. */
export function viewChangeRequest(request: ChangeRequestHead, nowMs: number) {
  return {
    id: request.id,
    config_id: request.config_id,
    namespace: request.namespace,
    name: request.name,
    type: TYPE_BY_KIND[request.operation_kind],
    config_etag: request.config_revision === null ? null : configEtag(request.config_revision),
    digest: request.digest,
    description: request.description,
    status: stateAt(request, nowMs),
    author: viewPerson(request.author),
    approvals: request.approvals.map(({ by, at_ms, comment }) => ({
      by: viewPerson(by),
      at: toTime(at_ms),
      comment,
    })),
    created_at: toTime(request.created_at_ms),
    updated_at: toTime(request.updated_at_ms),
    expires_at: toTime(request.expires_at_ms),
    ended: request.ended && {
      by: request.ended.by && viewPerson(request.ended.by),
      at: toTime(request.ended.at_ms),
      comment: request.ended.comment,
    },
    publish_id: request.outcome?.publish_id ?? null,
    version_id: request.outcome?.version_id ?? null,
    etag: configEtag(request.revision),
  };
}

/** What a request asks for, in the words of the body that asked for it; of a content its hash. */
export function viewOperation({ operation }: Pick<ChangeRequest, "operation">) {
  const type = TYPE_BY_KIND[operation.kind];
  return { type, ...viewPayload(operation) };
}

function viewPayload(operation: ChangeOperation) {
  const { kind, payload } = operation;
  switch (kind) {
    case "put_releases":
      return { releases: payload.releases, abort_plan: payload.abort_plan ?? false };
    case "rollback":
      return { version_id: payload.version_id, abort_plan: payload.abort_plan ?? false };
    case "delete_config":
      return {};
    case "create_version": {
      const { description, format, schema, content } = payload;
      return {
        content_hash: hashOf(content),
        description,
        ...(format === null ? {} : { format }),
        ...(schema === null ? {} : { schema: viewSchema(schema) }),
      };
    }
    case "start_publish": {
      const { content, version_id, description, strategy, stages } = payload;
      return {
        ...(content === null ? {} : { content_hash: hashOf(content) }),
        ...(version_id === null ? {} : { version_id }),
        description,
        strategy,
        stages: viewStageInputs(stages),
      };
    }
    case "batch_releases":
      return { batch: { items: payload.items.map(viewItem) }, abort_plan: payload.abort_plan };
    case "apply_bundle":
    default:
      return viewBundle(operation.payload);
  }
}

/** An item of a batch, in the words of the body that asked for it. */
function viewItem({ config_id, content, schema, description, releases, ...item }: BatchItem) {
  const { expected_revision: revision, default_version_id: version } = item;
  return {
    config_id,
    ...(revision === null ? {} : { if_match: configEtag(revision) }),
    ...(content === null ? {} : { content_hash: hashOf(content) }),
    ...(schema === null ? {} : { schema: viewSchema(schema) }),
    description,
    ...(releases === null ? {} : { releases }),
    ...(version === null ? {} : { default_version_id: version }),
  };
}

function viewBundle({ bundle_id, configs, if_plan, ...flags }: CommandPayloads["apply_bundle"]) {
  const { prune, adopt, force, abort_plan } = flags;
  return {
    apply: {
      bundle: { id: bundle_id },
      configs: configs.map(({ content, schema, versions, releases, ...config }) => ({
        ...config,
        content_hash: hashOf(content),
        schema: viewSchema(schema),
        versions: versions.map((version) => ({
          name: version.name,
          format: version.format,
          content_hash: hashOf(version.content),
        })),
        ...(releases === null ? {} : { releases }),
      })),
    },
    prune,
    adopt,
    force,
    abort_plan,
    ...(if_plan === null ? {} : { if_plan }),
  };
}

/** What a request of several configs would do to one of them. */
export function viewTarget({ revision, ...target }: ChangeTarget) {
  return { ...target, etag: revision === null ? null : configEtag(revision) };
}

/** Of a sealed content that of its envelope, as in a version. */
export function hashOf({ sealed, sha256 }: Pick<ContentRef, "sha256" | "sealed">): string {
  return `sha256:${sealed?.content_sha256 ?? sha256}`;
}
