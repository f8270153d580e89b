import { z } from "zod";
import { bundleCommand } from "../bundle/bundle-command-schema.ts";
import { changeCommands } from "../change-request/change-command-schema.ts";
import { commandAskedFor } from "../change-request/change-request.ts";
import { batchCommand } from "../config/batch-command-schema.ts";
import { rewrapKeysCommand } from "../encryption/rewrap-command-schema.ts";
import { GATE_REASON_CHARACTERS_MAX, GATES_MAX, RESTORE_CHUNKS_MAX } from "../limits.ts";
import { GATE_FAILURES } from "../publish/publish-gate.ts";
import { PAUSE_ENDS, PUBLISH_STRATEGIES } from "../publish/publish-plan.ts";
import { pruneCommand } from "../retention/prune-command-schema.ts";
import type { Command } from "./command.ts";
import {
  content,
  format,
  head,
  id,
  labels,
  percentage,
  retention,
  rule,
  sha256,
  versionId,
  wholeNumber,
} from "./command-fields.ts";

const nodeId = z.number().int().positive().max(999_999_999);
const onFail = z.enum(GATE_FAILURES);
const gate = z.discriminatedUnion("type", [
  z.object({ type: z.literal("webhook"), url: z.string(), secret: z.string(), on_fail: onFail }).strict(),
  z.object({ type: z.literal("approval"), approvers: z.number() }).strict(),
  z
    .object({
      type: z.literal("delivery_reports"),
      max_error_percent: z.number(),
      sample_min: z.number(),
      on_fail: onFail,
    })
    .strict(),
]);
const gateReason = z.string().max(GATE_REASON_CHARACTERS_MAX);
const gateOutcome = z.discriminatedUnion("verdict", [
  z.object({ verdict: z.literal("holds") }).strict(),
  z.object({ verdict: z.enum(["waits", "fails"]), reason: gateReason }).strict(),
]);
const stage = z
  .object({
    name: z.string(),
    regions: z.array(z.string()).nullable(),
    labels: labels.nullable(),
    percentage,
    bake_minutes: z.number().nullable(),
    gates: z.array(gate).optional(),
  })
  .strict();
const namespace = z.object({ tenant: z.string(), app: z.string(), env: z.string() }).strict();
const origin = z
  .object({
    backup_id: id,
    cluster_id: id,
    epoch: z.number().int().positive(),
    index: wholeNumber,
    timestamp_ms: wholeNumber,
    state_hash: sha256,
  })
  .strict();

const restoreCommands = [
  z
    .object({
      ...head,
      kind: z.literal("begin_restore"),
      payload: z
        .object({
          restore_id: id,
          origin,
          chunks: z.array(sha256).max(RESTORE_CHUNKS_MAX),
          epoch_min: wholeNumber,
          force: z.boolean(),
        })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("restore_chunk"),
      payload: z.object({ restore_id: id, position: wholeNumber, content }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("commit_restore"),
      payload: z.object({ restore_id: id, keep_ids: z.literal(true).optional() }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("abort_restore"),
      payload: z.object({ restore_id: id }).strict(),
    })
    .strict(),
] as const;

const publishCommands = [
  z
    .object({
      ...head,
      kind: z.literal("start_publish"),
      payload: z
        .object({
          config_id: id,
          content: content.nullable(),
          version_id: versionId.nullable(),
          description: z.string(),
          strategy: z.enum(PUBLISH_STRATEGIES),
          stages: z.array(stage),
          form: z.literal(2).optional(),
          abort_plan: z.boolean().optional(),
          judged_by: sha256.optional(),
        })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("advance_publish"),
      payload: z
        .object({
          publish_id: id,
          expected_stage: z.number().int().positive(),
          cause: z.enum(["by_hand", "bake_over"]),
          gates: z.union([z.literal("held"), z.object({ skipped: z.string() }).strict()]).optional(),
        })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("abort_publish"),
      payload: z.object({ publish_id: id }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("resume_publish"),
      payload: z.object({ publish_id: id, skip_gates: z.string().optional() }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("report_gates"),
      payload: z
        .object({
          publish_id: id,
          expected_stage: z.number().int().positive(),
          outcomes: z.array(gateOutcome).max(GATES_MAX),
        })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("approve_publish_stage"),
      payload: z
        .object({ publish_id: id, expected_stage: z.number().int().positive(), comment: z.string() })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("pause_publish"),
      payload: z
        .object({
          publish_id: id,
          expected_stage: z.number().int().positive(),
          minutes: z.number(),
          on_timeout: z.enum(PAUSE_ENDS),
        })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("end_pause"),
      payload: z.object({ publish_id: id, paused_at_ms: wholeNumber }).strict(),
    })
    .strict(),
] as const;

/**
 * What a core accepts into its log: a command of a known kind whose every field has its type, so that applying it can
 * only succeed or refuse. Whether it makes sense (names, rules, limits) is for the verb to say.
 */
const commandSchema = z.discriminatedUnion("kind", [
  z
    .object({
      ...head,
      kind: z.literal("create_config"),
      payload: z
        .object({
          namespace,
          name: z.string(),
          format,
          content,
          schema: z.string().nullable(),
          description: z.string(),
          encrypted: z.boolean(),
          retention: retention.nullable(),
          releases: z.array(rule),
          max_configs: wholeNumber.optional(),
        })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("create_version"),
      payload: z
        .object({
          config_id: id,
          content,
          format: format.nullable(),
          schema: z.string().nullable(),
          description: z.string(),
          judged_by: sha256.optional(),
        })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("write_draft"),
      payload: z.object({ config_id: id, content, description: z.string() }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("put_releases"),
      payload: z
        .object({ config_id: id, releases: z.array(rule), abort_plan: z.boolean().optional() })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("rollback"),
      payload: z
        .object({ config_id: id, version_id: versionId, abort_plan: z.boolean().optional() })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("delete_config"),
      payload: z.object({ config_id: id }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("set_retention"),
      payload: z.object({ config_id: id, retention: retention.nullable() }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("revoke_token"),
      payload: z.object({ jti: id, expires_at_ms: z.number().int().nonnegative() }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("register_node"),
      payload: z
        .object({
          node_id: nodeId,
          raft_address: z.string().min(1).max(256),
          url: z.string().max(256),
          disk_id: z.string().max(64),
        })
        .strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("move_node"),
      payload: z.object({ node_id: nodeId, raft_address: z.string().min(1).max(256) }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("retire_node"),
      payload: z.object({ node_id: nodeId }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("note_operation"),
      payload: z.object({ summary: z.string().min(1).max(256) }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("note_failure"),
      payload: z.object({ summary: z.string().min(1).max(256) }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("anchor_audit"),
      payload: z.object({ seq: z.number().int().positive(), hash: sha256 }).strict(),
    })
    .strict(),
  bundleCommand,
  batchCommand,
  pruneCommand,
  ...restoreCommands,
  ...publishCommands,
  ...changeCommands,
  rewrapKeysCommand,
]);

type Parsed = { ok: true; command: Command } | { ok: false; errors: { path: string; message: string }[] };

/** Answers the command, or what is wrong with it as JSON pointers into the command. */
export function parseCommand(value: unknown): Parsed {
  const parsed = commandSchema.safeParse(value);
  if (!parsed.success) return { ok: false, errors: errorsOf(parsed.error, "") };
  const command: Command = parsed.data;
  if (command.kind !== "request_change" && command.kind !== "edit_change") return { ok: true, command };
  return parseOperation(command);
}

/** What is asked for is held to the shape of a command of its kind, so that executing it can only succeed or refuse. */
function parseOperation(command: Extract<Command, { kind: "request_change" | "edit_change" }>): Parsed {
  const parsed = commandSchema.safeParse(commandAskedFor(command));
  if (parsed.success) return { ok: true, command };
  return { ok: false, errors: errorsOf(parsed.error, "/payload/operation") };
}

function errorsOf(error: z.ZodError, prefix: string): { path: string; message: string }[] {
  return error.issues.slice(0, 20).map((issue) => ({
    path: prefix + issue.path.map((part) => `/${String(part)}`).join(""),
    message: issue.message,
  }));
}
