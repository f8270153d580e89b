import { decodeCommand } from "../../contracts/core/command-codec.ts";
import type { BundleExportAnswer, BundlePlanAnswer } from "../../contracts/core/core-api.ts";
import { COMMAND_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { exportBundle, type ExportScope } from "../../domain/bundle/export-bundle.ts";
import { bundleOf, findEncrypted } from "../../domain/bundle/find-encrypted.ts";
import { planForCaller } from "../../domain/bundle/plan-for-caller.ts";
import { findGuards } from "../../domain/change-request/guard-change.ts";
import type { Command } from "../../domain/command/command.ts";
import { parseCommand } from "../../domain/command/command-schema.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { requireLeader } from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";
import type { CoreReply, CoreRequest, Route } from "./http-router.ts";
import { readBarrier } from "./read-routes.ts";

/** The two reads of bundles: what applying one would do, and what one would hold. */
export function bundleRoutes(core: CoreContext): Route[] {
  return [
    { method: "POST", path: "/v1/bundle-plan", roles: ["admin"], handle: (r) => answerPlan(core, r) },
    { method: "GET", path: "/v1/bundle-export", roles: ["admin"], handle: (r) => answerExport(core, r) },
  ];
}

async function answerPlan(core: CoreContext, request: CoreRequest): Promise<CoreReply> {
  const command = readBundle(await request.body(COMMAND_BYTES_MAX));
  await readBarrier(core, request);
  const planned = planForCaller(core.store, command.tenant, command.payload);
  if (!planned.ok) throw invalid(planned.errors);
  const nowMs = core.clock.lookMs(core.store.lastTimestampMs());
  const guards = findGuards(core.store, command, { nowMs, planned });
  const answer: BundlePlanAnswer = { ...core.position(), plan: planned.plan, guards };
  return { json: answer };
}

function readBundle(body: Uint8Array): Extract<Command, { kind: "apply_bundle" }> {
  let given: unknown;
  try {
    given = decodeCommand(body).command;
  } catch (cause) {
    // The parser's message quotes the text, which may be anything.
    throw new ConfluxError("malformed_request", "the command cannot be decoded", { cause });
  }
  const parsed = parseCommand(given);
  const errors = parsed.ok ? [] : parsed.errors;
  if (parsed.ok && parsed.command.kind === "apply_bundle") return parsed.command;
  throw new ConfluxError("malformed_request", "the command is no bundle", { errors });
}

async function answerExport(core: CoreContext, request: CoreRequest): Promise<CoreReply> {
  const { query } = request;
  const tenant = query.get("tenant");
  if (tenant === null) {
    const errors = [{ path: "/tenant", message: "missing" }];
    throw new ConfluxError("malformed_request", "tenant is needed", { errors });
  }
  await readBarrier(core, request);
  const scope: ExportScope = {
    tenant,
    app: query.get("app") ?? undefined,
    env: query.get("env") ?? undefined,
  };
  const exported = exportBundle(core.store, scope);
  if (!exported.ok) throw new ConfluxError(exported.code, exported.detail);
  const blobs: Record<string, string> = {};
  for (const { sha256, isEncrypted } of exported.configs.flatMap(({ contents }) => contents)) {
    const bytes = isEncrypted ? undefined : core.store.bytes(stateKey.blob(tenant, sha256));
    if (bytes !== undefined) blobs[sha256] = Buffer.from(bytes).toString("base64");
  }
  const answer: BundleExportAnswer = { ...core.position(), configs: exported.configs, blobs };
  return { json: answer };
}

/** Refuses a bundle with the content of an encrypted config before the log has it (K5); asks when the state is new enough. */
export async function refuseEncrypted(core: CoreContext, command: Command): Promise<void> {
  const bundle = bundleOf(command);
  if (bundle === null) return;
  await requireLeader(core);
  const errors = findEncrypted(core.store, command.tenant, bundle);
  if (errors.length > 0) throw invalid(errors);
}

function invalid(errors: { path: string; message: string }[]): ConfluxError {
  return new ConfluxError("validation_failed", "the bundle is not valid", { errors });
}
