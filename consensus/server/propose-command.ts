import { createHash } from "node:crypto";
import {
  COMMAND_CONTENT_TYPE,
  COMMAND_TO_SEAL_CONTENT_TYPE,
  decodeCommand,
  type EncodedCommand,
} from "../../contracts/core/command-codec.ts";
import { PROPOSED_BY_LAMBDA, type ProposeAnswer } from "../../contracts/core/core-api.ts";
import { COMMAND_BYTES_MAX, CONTENT_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { type Command, isCoreKind } from "../../domain/command/command.ts";
import { abilitiesNeeded } from "../../domain/command/command-kinds.ts";
import { contentsOf } from "../../domain/command/content-of.ts";
import { parseCommand } from "../../domain/command/command-schema.ts";
import type { Config } from "../../domain/config/config.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { encodeLogEntry } from "../state/log-entry.ts";
import type { CoreContext } from "./core-context.ts";
import type { CoreReply, CoreRequest } from "./http-router.ts";
import { refuseEncrypted } from "./bundle-routes.ts";
import { protectContent, sealingKeysOf } from "./protect-content.ts";
import { requireSupported } from "./version-gate.ts";

/**
 * Takes a command into the log and answers what the state machine made of it. Nothing that could not be applied enters
 * the log: shape, sizes and hashes of attachments are checked first. Throws what contracts/core/core-port.ts says.
 */
export async function proposeCommand(core: CoreContext, request: CoreRequest): Promise<CoreReply> {
  const contentType = request.headers["content-type"];
  const isToSeal = contentType === COMMAND_TO_SEAL_CONTENT_TYPE;
  if (!isToSeal && contentType !== COMMAND_CONTENT_TYPE) {
    throw new ConfluxError("unsupported_media_type", `a command is ${COMMAND_CONTENT_TYPE}`);
  }
  const startedMs = performance.now();
  const sent = await request.body(COMMAND_BYTES_MAX);
  const decoded = decode(sent);
  const given = { command: verify(decoded), attachments: decoded.attachments, body: sent };
  if (request.role === "lambda" && !PROPOSED_BY_LAMBDA.includes(given.command.kind)) {
    throw new ConfluxError("forbidden", `the role lambda may not propose ${given.command.kind}`);
  }
  await refuseEncrypted(core, given.command);
  const toSeal = isToSeal ? sealingKeysOf(request.query, decoded.sealKeys) : undefined;
  const { command, body } = await protectContent(core, given, toSeal);
  const app = appOf(core, command);
  for (const ability of abilitiesNeeded(command)) {
    requireSupported(ability, () => core.log.status(), core.peers);
  }
  const stampMs = core.clock.stampMs(core.store.lastTimestampMs());
  let outcome: ApplyOutcome;
  try {
    ({ result: outcome } = await core.log.propose(encodeLogEntry(stampMs, body)));
  } catch (error) {
    core.metrics.configUpdate(command.tenant, app, "not_committed");
    throw error;
  }
  const code = outcome.ok ? "success" : outcome.code;
  core.metrics.configUpdate(command.tenant, app, code === "validation_failed" ? "validation_error" : code);
  core.logger({
    level: "info",
    msg: "command applied",
    trace_id: request.traceId,
    kind: command.kind,
    tenant: command.tenant,
    outcome: code,
    duration_ms: Math.round((performance.now() - startedMs) * 100) / 100,
  });
  if (!outcome.ok) throw new ConfluxError(outcome.code, outcome.detail, { errors: outcome.errors ?? [] });
  const { ok: _ok, ...applied } = outcome;
  const answer: ProposeAnswer = { ...core.position(), ...applied };
  return { json: answer };
}

function decode(body: Uint8Array): EncodedCommand {
  try {
    return decodeCommand(body);
  } catch (cause) {
    // The parser's message quotes the text, and the text may be a secret.
    const reason = cause instanceof RangeError ? cause.message : "its header is not JSON";
    throw new ConfluxError("malformed_request", `the command cannot be decoded: ${reason}`, { cause });
  }
}

function verify({ command: given, attachments }: EncodedCommand): Command {
  const parsed = parseCommand(given);
  if (!parsed.ok)
    throw new ConfluxError("malformed_request", "the command is not valid", { errors: parsed.errors });
  const { command } = parsed;
  if (isCoreKind(command.kind)) {
    throw new ConfluxError("forbidden", `${command.kind} is proposed by a core alone`);
  }
  for (const { attachment, sha256 } of contentsOf(command)) {
    const bytes = attachments[attachment];
    if (bytes === undefined) {
      throw new ConfluxError("malformed_request", `the command carries no attachment ${attachment}`);
    }
    if (bytes.byteLength > CONTENT_BYTES_MAX) {
      throw new ConfluxError("payload_too_large", `a version has at most ${CONTENT_BYTES_MAX} bytes`);
    }
    if (createHash("sha256").update(bytes).digest("hex") !== sha256) {
      throw new ConfluxError(
        "malformed_request",
        `attachment ${attachment} has another hash than its command says`,
      );
    }
  }
  return command;
}

/** The app a command concerns, for metrics; empty when it concerns none that exists. */
function appOf(core: CoreContext, { kind, payload }: Command): string {
  if (kind === "create_config") return payload.namespace.app;
  if ("publish_id" in payload) {
    const plan = core.store.json(stateKey.publish(payload.publish_id)) as PublishPlan | undefined;
    return plan?.namespace.app ?? "";
  }
  if (!("config_id" in payload) || payload.config_id === null) return "";
  const config = core.store.json(stateKey.config(payload.config_id)) as Config | undefined;
  return config?.namespace.app ?? "";
}
