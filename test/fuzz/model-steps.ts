/** One step of a sequence, by names and numbers alone: a sequence means the same wherever and however often it is run. */
import type { ModelFormat, SchemaName } from "./model-values.ts";

/** The last is in a namespace of its own, whose changes may need approval. */
export const SLOTS = ["a.json", "b.json", "c.json", "d.json"] as const;
export type Slot = (typeof SLOTS)[number];
/** What `If-Match` says; `other` is an ETag that is none of ours. */
export type Match = "none" | "current" | "stale" | "star" | "other";

/** `V`: how it names its version. */
export interface StepRule<V = number | "new"> {
  labels: Record<string, string>;
  version: V;
  priority: number;
  /** Positions in CONDITIONS. */
  when: number[];
  percentage: { by: string; percent: number; salt?: string } | null;
  /** Positions in the world's list. */
  regions: number[] | null;
  /** Position in FLAWS; null for a rule that is in order. */
  flaw: number | null;
}
interface Common {
  slot: Slot;
  match: Match;
  /** Of `X-Idempotency-Key`; null: none. */
  key: number | null;
}
export interface BatchStepItem {
  slot: Slot;
  content: string | null;
  to: number | "new" | StepRule[];
  match: "none" | "current" | "stale";
}
export type Step = Common &
  (
    | {
        do: "create";
        content: string;
        format: ModelFormat;
        hasSchema: boolean;
        isEncrypted: boolean;
        retention: number | null;
        release: "no" | "default" | StepRule[];
      }
    | { do: "version"; content: string; format: ModelFormat | null; schema: SchemaName | null }
    | { do: "rules"; rules: StepRule[]; abort: boolean }
    | { do: "rollback"; version: number; abort: boolean }
    | { do: "delete" }
    | { do: "retention"; count: number | null }
    | { do: "publish"; what: string | number; strategy: string; abort: boolean; isDry: boolean }
    | { do: "move"; move: Move; which: "newest" | "oldest" | "running" }
    | { do: "batch"; items: BatchStepItem[]; abort: boolean }
    | { do: "wrong"; request: number }
    | ({ do: "apply" } & BundleStep)
    | { do: "policy"; required: number; appliesTo: ChangeKind[] | null }
    | { do: "ask"; by: number; of: Operation }
    | { do: "edit"; by: number; which: Which; of: Operation }
    | { do: "settle"; by: number; which: Which; settle: Settle; digest: "current" | "old" | "other" }
  );
export type StepOf<K extends Step["do"]> = Extract<Step, { do: K }>;
/** What a change request can ask for. */
export type Operation = StepOf<"version" | "rules" | "rollback" | "delete" | "publish" | "batch" | "apply">;
export type Settle = "approve" | "reject" | "withdraw" | "execute";
/** Of the change requests: the newest that is open, or one by its place. */
export type Which = "open" | "newest" | "oldest";
export const CHANGE_KINDS = ["releases", "publish", "delete", "versions"] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** How a rule of a bundle names its version: `bundle`, the name of one of `versions`, or a number. */
export type BundleRule = StepRule<string | number>;
export interface BundleEntry {
  slot: Slot;
  content: string;
  format: ModelFormat;
  hasSchema: boolean;
  retention: number | null;
  /** Contents beside the entry's own, which are their names as well. */
  versions: string[];
  /** Null: left out. */
  rules: BundleRule[] | null;
}
export interface BundleStep {
  bundle: "team" | "other";
  entries: BundleEntry[];
  prune: boolean;
  adopt: boolean;
  force: boolean;
  abort: boolean;
  isDry: boolean;
  /** The bundle of the last dry run, by the name of its plan, instead of these entries. */
  asPlanned: boolean;
}
export type Move = "advance" | "pause" | "resume" | "abort";
/** A client, by labels, and where it is: a position in the world's list of regions. */
export interface ModelClient {
  labels: Record<string, string>;
  region: number;
}
export interface Turn {
  step: Step;
  /** Who asks the edge after it, in each of the regions. */
  clients: Record<string, string>[];
}
