import { applyBundle } from "../bundle/apply-bundle.ts";
import { type ApplyInput, type ApplyVerb, type Refusal, refuse } from "../command/apply-verb.ts";
import type { ChangeOperationKind } from "../command/command.ts";
import type { CommandResults, FeatureOutcome } from "../command/command-result.ts";
import type { AuditAction, FeedEvent } from "../command/feed-entry.ts";
import { overlayState } from "../command/state-overlay.ts";
import { type StateChange, stateKey } from "../command/state-view.ts";
import { batchReleases } from "../config/batch-releases.ts";
import { createVersion } from "../config/create-version.ts";
import { deleteConfig } from "../config/delete-config.ts";
import { findConfig } from "../config/find-config.ts";
import { putReleases } from "../config/put-releases.ts";
import { rollbackConfig } from "../config/rollback-config.ts";
import { startPublish } from "../publish/start-publish.ts";
import { type ChangeRequest, commandOfOperation, toChangeRequestHead } from "./change-request.ts";
import { changesOf, planOf } from "./changes-of.ts";
import { findChange } from "./find-change.ts";
import { countApprovals, guardFreeze, neededOf } from "./guard-change.ts";
import { heldBytes } from "./held-content.ts";
import { endChange } from "./write-change.ts";

type Input = ApplyInput<"execute_change">;
interface Made {
  ok: true;
  changes: StateChange[];
  events: FeedEvent[];
  audit: { action: AuditAction; resource: string; summary: string };
  outcome: NonNullable<ChangeRequest["outcome"]>;
  warnings: string[];
}

/**
 * Makes the change that a request asks for and ends the request, in one command: once, or not at all. Refuses
 * `approval_required` while too few have approved it by the policies of now, `precondition_failed` when a config has
 * changed since, `change_frozen` in a freeze window, and what the change itself is refused with.
 */
export const executeChange: ApplyVerb<"execute_change"> = (input) => {
  const { state, command, index, timestampMs } = input;
  const found = findChange(state, command, command.payload, { move: "execute", nowMs: timestampMs });
  if (!found.ok) return found;
  const { request } = found;
  const asked = commandOfOperation(command, request.operation);
  const planned = planOf(state, asked);
  const changes = changesOf(state, asked, planned);
  const needed = neededOf(state, command.tenant, changes);
  const have = countApprovers(request);
  if (have < needed) {
    return refuse("approval_required", `the change has ${have} and needs ${countApprovals(needed)}`);
  }
  if (request.config_id !== null) {
    const asAsked = { tenant: command.tenant, expected_revision: request.config_revision };
    const config = findConfig(state, asAsked, request.config_id);
    if (!config.ok) return config;
  }
  const guarded = guardFreeze(state, command, changes, timestampMs);
  if (!guarded.ok) return guarded;
  const end = { to: found.to, by: command.actor, comment: command.break_glass ?? "", index, timestampMs };
  const ended = endChange(state, request, end);
  const change = makeChange(
    { ...input, state: overlayState(state, ended.changes), planned },
    request,
    heldBytes(state, request),
  );
  if (!change.ok) return change;
  const executed: ChangeRequest = { ...ended.request, outcome: change.outcome };
  return {
    ok: true,
    changes: [
      ...ended.changes,
      { op: "put_json", key: stateKey.changeRequest(executed.id), value: executed },
      ...change.changes,
    ],
    events: change.events,
    result: { request: toChangeRequestHead(executed), warnings: change.warnings },
    audit: { ...change.audit, summary: `${guarded.note}${change.audit.summary} ${byRequest(executed)}` },
  };
};

/** People other than the author who approved what the request asks for now. */
function countApprovers({ approvals, author }: ChangeRequest): number {
  return new Set(approvals.map(({ by }) => by.id).filter((id) => id !== author.id)).size;
}

function byRequest({ id, digest, author, approvals }: ChangeRequest): string {
  const by = approvals.map((approval) => approval.by.name).join(", ");
  return `(change request ${id} of ${author.name}, digest ${digest}, approved by ${by || "nobody"})`;
}

/** Runs the verb of the operation, as a command of the request's author. */
function makeChange(input: Input, request: ChangeRequest, attachments: Uint8Array[]): Made | Refusal {
  const { operation, author } = request;
  const head = { ...input.command, actor: author, idempotency: null, expected_revision: null };
  const at = { ...input, attachments, changeRequestId: request.id };
  switch (operation.kind) {
    case "put_releases":
      return made(putReleases({ ...at, command: { ...head, ...operation } }), ({ warnings }) => ({
        warnings,
      }));
    case "rollback":
      return made(rollbackConfig({ ...at, command: { ...head, ...operation } }));
    case "delete_config":
      return made(deleteConfig({ ...at, command: { ...head, ...operation } }));
    case "create_version":
      return made(createVersion({ ...at, command: { ...head, ...operation } }), ({ version }) => ({
        version_id: version.version_id,
      }));
    case "start_publish":
      return made(startPublish({ ...at, command: { ...head, ...operation } }), ({ publish, warnings }) => ({
        publish_id: publish.id,
        version_id: publish.version_id,
        warnings,
      }));
    case "batch_releases":
      return made(batchReleases({ ...at, command: { ...head, ...operation } }), ({ items }) => ({
        warnings: items.flatMap(({ warnings }) => warnings),
      }));
    case "apply_bundle":
    default:
      return made(applyBundle({ ...at, command: { ...head, ...operation } }), ({ plan }) => ({
        warnings: plan.warnings,
      }));
  }
}

/** What a verb has decided, and what the request remembers of it. */
function made<K extends ChangeOperationKind>(
  outcome: FeatureOutcome<K>,
  toldOf: (result: CommandResults[K]) => Made["outcome"] & { warnings?: string[] } = () => ({}),
): Made | Refusal {
  if (!outcome.ok) return outcome;
  const { changes, events, audit, result } = outcome;
  if (audit === null) throw new Error("a change that the audit is not told of");
  const { warnings = [], ...told } = toldOf(result);
  return { ok: true, changes, events, audit, outcome: told, warnings };
}
