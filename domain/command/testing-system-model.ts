import { type Asked, type ModelConfig, type Took } from "./testing-command-model.ts";
import type { Step, SystemStep } from "./testing-steps.ts";

/** What a backup has, and a restore brings back. */
export interface ModelWorld {
  configs: Map<string, ModelConfig>;
  asked: Asked;
  /** Whether a deletion of what is not typed needs an approval. */
  guarded: boolean;
  /** When revoked tokens expire. */
  tokens: Record<string, number>;
  /** Of the audit chain, ascending. */
  anchors: { seq: number; hash: string }[];
  /** Ids of configs and of their last plans, by name. */
  ids: Map<string, string>;
  plans: Map<string, string>;
  /** Requests by idempotency key. */
  keys: Map<number, string>;
}

/** What no restore takes back, besides. */
export interface Model {
  world: ModelWorld;
  nodes: Record<number, { at: string; disk: string; removed: boolean }>;
  restore: { id: number; saved: ModelBackup; staged: boolean } | null;
  /** The last restore that was done. */
  restored: number | null;
  epoch: number;
}

export const emptyModel = (): Model => ({
  world: {
    configs: new Map(),
    asked: new Map(),
    guarded: false,
    tokens: {},
    anchors: [],
    ids: new Map(),
    plans: new Map(),
    keys: new Map(),
  },
  nodes: {},
  restore: null,
  restored: null,
  epoch: 1,
});

/** The restore that a step means: the one under way, unless it names another. */
export function restoreIdOf({ restore }: Model, step: { restore: number }): number {
  return step.restore === 0 ? (restore?.id ?? 9) : step.restore;
}

/** A copy of the model's world, and the same of the state as one chunk. */
export interface ModelBackup {
  world: ModelWorld;
  chunk: Uint8Array;
}

/** Applies a step about the state as a whole to the model. */
export function stepSystem(
  model: Model,
  step: SystemStep,
  at: { nowMs: number; backup: () => ModelBackup },
): Took {
  const { world } = model;
  switch (step.do) {
    case "guard":
      world.guarded = step.guarded;
      return "told";
    case "revoke": {
      const expiresAtMs = Math.max(at.nowMs + step.forMs, world.tokens[step.jti] ?? 0);
      const left = Object.entries(world.tokens).filter(([, expires]) => expires >= at.nowMs);
      world.tokens = { ...Object.fromEntries(left), [step.jti]: expiresAtMs };
      return "told";
    }
    case "anchor":
      return stepAnchor(world, step);
    case "register":
    case "move":
    case "retire":
      return stepNode(model, step);
    case "note":
      return "told";
    default:
      return stepRestore(model, step, at.backup);
  }
}

/** Only forward. */
function stepAnchor({ anchors }: ModelWorld, { seq, hash }: Step<"anchor">): Took {
  const newest = anchors.at(-1);
  if (newest?.seq === seq && newest.hash === hash) return "silent";
  if (newest !== undefined && seq <= newest.seq) return "refused";
  anchors.push({ seq, hash });
  return "silent";
}

function stepNode({ nodes }: Model, step: Step<"register" | "move" | "retire">): Took {
  const known = nodes[step.node];
  if (step.do === "retire") {
    nodes[step.node] = { at: "", disk: "", ...known, removed: true };
    return "told";
  }
  if (known?.removed === true) return "refused";
  if (step.do === "move") {
    if (known === undefined) return "refused";
    known.at = step.at;
    return "told";
  }
  if (known !== undefined && (known.disk !== step.disk || known.at !== step.at)) return "refused";
  nodes[step.node] = { at: step.at, disk: step.disk, removed: false };
  return "told";
}

type RestoreStep = Step<"begin_restore" | "restore_chunk" | "commit_restore" | "abort_restore">;

/** What was there when a restore began is there again when it ends. */
function stepRestore(model: Model, step: RestoreStep, backup: () => ModelBackup): Took {
  const id = restoreIdOf(model, step);
  if (step.do === "begin_restore") {
    if (model.restored === id) return "refused";
    model.restore = { id, saved: backup(), staged: false };
    return "silent";
  }
  const { restore } = model;
  if (step.do === "abort_restore") {
    if (restore?.id === id) model.restore = null;
    return "silent";
  }
  if (step.do === "commit_restore" && model.restored === id) return "silent";
  if (restore?.id !== id) return "refused";
  if (step.do === "restore_chunk") {
    restore.staged = true;
    return "silent";
  }
  if (!restore.staged) return "refused";
  Object.assign(model, { world: restore.saved.world, restore: null, restored: id, epoch: model.epoch + 1 });
  return "told";
}
