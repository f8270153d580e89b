import { sha256Hex } from "../sha256.ts";
import type { Command, CommandKind, CommandPayloads } from "./command.ts";
import { testCommand, testConfigPayload, testRule } from "./testing-commands.ts";

/** The content of a sample, as its attachment 0. */
export const SAMPLE_CONTENT = Uint8Array.from("{}", (char) => char.charCodeAt(0));
const content = { attachment: 0, sha256: sha256Hex(SAMPLE_CONTENT) };
const hash = "0".repeat(64);
const publish_id = "pub-c1-0-0";
const config_id = "cfg-c1-0";
const change_request_id = "chr-c1-0";
const at = { publish_id, expected_stage: 1 };
const operation = { kind: "rollback" as const, payload: { config_id, version_id: 1 } };
const asked = { config_id, config_revision: 1, operation, description: "" };
const origin = { backup_id: "b", cluster_id: "c1", epoch: 1, index: 1, timestamp_ms: 1, state_hash: hash };

/**
 * One payload of each kind, of nothing that is there: with no more in it than the kind itself needs voters to know. A kind
 * that is new does not compile without.
 */
const PAYLOADS: { [K in CommandKind]: CommandPayloads[K] } = {
  create_config: testConfigPayload("sample", content.sha256),
  create_version: { config_id, content, format: null, schema: null, description: "" },
  write_draft: { config_id, content, description: "" },
  put_releases: { config_id, releases: [testRule(1)] },
  rollback: operation.payload,
  delete_config: { config_id },
  set_retention: { config_id, retention: { count: 1 } },
  prune_versions: { config_id, versions: [{ version_id: 1, sha256: hash }], archive: "a" },
  revoke_token: { jti: "sample", expires_at_ms: 1 },
  begin_restore: { restore_id: "r", origin, chunks: [hash], epoch_min: 0, force: false },
  restore_chunk: { restore_id: "r", position: 0, content },
  commit_restore: { restore_id: "r" },
  abort_restore: { restore_id: "r" },
  register_node: { node_id: 9, raft_address: "nowhere:1", url: "http://nowhere", disk_id: "d" },
  move_node: { node_id: 8, raft_address: "nowhere:2" },
  retire_node: { node_id: 7 },
  note_operation: { summary: "noted" },
  note_failure: { summary: "noted" },
  start_publish: {
    config_id,
    content,
    version_id: null,
    description: "",
    strategy: "canary",
    stages: [{ name: "s", regions: null, labels: { a: "x" }, bake_minutes: null }],
  },
  advance_publish: { ...at, cause: "by_hand" },
  abort_publish: { publish_id },
  report_gates: { ...at, outcomes: [{ verdict: "holds" }] },
  approve_publish_stage: { ...at, comment: "" },
  pause_publish: { ...at, minutes: 1, on_timeout: "abort" },
  resume_publish: { publish_id },
  end_pause: { publish_id, paused_at_ms: 1 },
  batch_releases: {
    items: [
      {
        config_id,
        expected_revision: null,
        content,
        schema: null,
        description: "",
        releases: null,
        default_version_id: "new",
      },
    ],
    abort_plan: false,
  },
  rewrap_keys: { resource: "demo/*/*/*", items: [], next_cursor: null },
  anchor_audit: { seq: 1, hash },
  set_change_rules: { approvals: [], freezes: [] },
  request_change: asked,
  edit_change: { ...asked, change_request_id },
  approve_change: { change_request_id, digest: hash, comment: "" },
  reject_change: { change_request_id, comment: "" },
  withdraw_change: { change_request_id, comment: "" },
  execute_change: { change_request_id, digest: hash },
  apply_bundle: {
    bundle_id: "web",
    configs: [],
    prune: false,
    adopt: false,
    force: false,
    abort_plan: false,
    if_plan: null,
  },
};

/** A command of a kind, which every core can decode and whose state machine refuses it, or does nothing that matters. */
export function sampleCommand(kind: CommandKind): Command {
  return testCommand(kind, PAYLOADS[kind]);
}
