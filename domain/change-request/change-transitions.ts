/** Where a change request stands. Only an open one moves; the others have ended and stay as a record. */
export const CHANGE_REQUEST_STATES = ["open", "executed", "rejected", "withdrawn", "expired"] as const;
export type ChangeRequestState = (typeof CHANGE_REQUEST_STATES)[number];

export const CHANGE_MOVES = ["edit", "approve", "execute", "reject", "withdraw", "expire"] as const;
export type ChangeMove = (typeof CHANGE_MOVES)[number];

/** Where each move leads; every other move is refused. */
const MOVES: Record<ChangeRequestState, Partial<Record<ChangeMove, ChangeRequestState>>> = {
  open: {
    edit: "open",
    approve: "open",
    execute: "executed",
    reject: "rejected",
    withdraw: "withdrawn",
    expire: "expired",
  },
  executed: {},
  rejected: {},
  withdrawn: {},
  expired: {},
};

/** The state after a move; null when the state does not allow it. */
export function moveChange(from: ChangeRequestState, move: ChangeMove): ChangeRequestState | null {
  return MOVES[from][move] ?? null;
}
