import type { PlannedBundle } from "../bundle/planned-bundle.ts";
import type { CommandKind, CommandOf } from "./command.ts";
import type { FeatureOutcome } from "./command-result.ts";
import type { ErrorCode, FieldError } from "./command-error.ts";
import type { StateView } from "./state-view.ts";

/** What a verb is given: the state before the command, and the log's word on place and time. */
export interface ApplyInput<K extends CommandKind> {
  state: StateView;
  command: CommandOf<K>;
  attachments: readonly Uint8Array[];
  /** Log index of the command. */
  index: number;
  /** Leader's time of the command; never goes backwards. */
  timestampMs: number;
  clusterId: string;
  /** The epoch before the command; the first is 1. */
  epoch: number;
  /** Of `apply_bundle`: its plan on `state`, so that guard and verb go by one. */
  planned?: PlannedBundle | undefined;
  /** The change request that the command is the execution of. */
  changeRequestId?: string;
}

/** One kind of command as a pure function: same input, same outcome, on every node. */
export type ApplyVerb<K extends CommandKind> = (input: ApplyInput<K>) => FeatureOutcome<K>;

export interface Refusal {
  ok: false;
  code: ErrorCode;
  detail: string;
  errors?: FieldError[];
}

export function refuse(code: ErrorCode, detail: string, errors?: FieldError[]): Refusal {
  return errors === undefined ? { ok: false, code, detail } : { ok: false, code, detail, errors };
}
