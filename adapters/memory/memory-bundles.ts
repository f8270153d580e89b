import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { BundleGuard, BundlePlan } from "../../domain/bundle/bundle.ts";
import { exportBundle, type ExportedConfig, type ExportScope } from "../../domain/bundle/export-bundle.ts";
import { bundleOf, findEncrypted } from "../../domain/bundle/find-encrypted.ts";
import { planForCaller } from "../../domain/bundle/plan-for-caller.ts";
import { findGuards } from "../../domain/change-request/guard-change.ts";
import type { Command, CommandOf } from "../../domain/command/command.ts";
import type { MemoryState } from "../../domain/command/memory-state.ts";
import { stateKey } from "../../domain/command/state-view.ts";

/** What the core in memory answers about bundles, as the real one does. */
export function planInMemory(
  state: MemoryState,
  command: CommandOf<"apply_bundle">,
  nowMs: number,
): { plan: BundlePlan; guards: BundleGuard[] } {
  const planned = planForCaller(state, command.tenant, command.payload);
  if (planned.ok) return { plan: planned.plan, guards: findGuards(state, command, { nowMs, planned }) };
  throw new ConfluxError("validation_failed", "the bundle is not valid", { errors: planned.errors });
}

export function exportInMemory(
  state: MemoryState,
  scope: ExportScope,
): { configs: ExportedConfig[]; blobs: Map<string, Uint8Array> } {
  const exported = exportBundle(state, scope);
  if (!exported.ok) throw new ConfluxError(exported.code, exported.detail);
  const blobs = new Map<string, Uint8Array>();
  for (const { sha256, isEncrypted } of exported.configs.flatMap(({ contents }) => contents)) {
    const bytes = isEncrypted ? undefined : state.bytes(stateKey.blob(scope.tenant, sha256));
    if (bytes !== undefined) blobs.set(sha256, bytes);
  }
  return { configs: exported.configs, blobs };
}

export function refuseEncryptedInMemory(state: MemoryState, command: Command): void {
  const bundle = bundleOf(command);
  if (bundle === null) return;
  const errors = findEncrypted(state, command.tenant, bundle);
  if (errors.length > 0) throw new ConfluxError("validation_failed", "the bundle is not valid", { errors });
}
