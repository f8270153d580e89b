/** The codes a command or a read of the state may be refused with; a subset of the public list in contracts/problem. */
export type ErrorCode =
  | "malformed_request"
  | "feed_ahead"
  | "feed_compacted"
  | "validation_failed"
  | "not_found"
  | "forbidden"
  | "approval_required"
  | "change_frozen"
  | "already_exists"
  | "conflict"
  | "publish_running"
  | "invalid_transition"
  | "precondition_failed"
  | "idempotency_conflict"
  | "payload_too_large"
  | "quota_exceeded";

/** `path` is a JSON pointer into the request body. */
export interface FieldError {
  path: string;
  message: string;
}
