/**
 * The closed list of error codes. Every refusal of every public surface carries exactly one of them, and
 * `STATUS_BY_CODE` is the only place where a code becomes an HTTP status.
 */
export const STATUS_BY_CODE = {
  validation_failed: 400,
  malformed_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  already_exists: 409,
  /** What is asked for cannot be done as things stand; the detail says what stands against it. */
  conflict: 409,
  idempotency_conflict: 409,
  /** A publish plan of the config runs; what would change its rules is refused. */
  publish_running: 409,
  /** Others than the author must approve the change first: it is made by executing a change request. */
  approval_required: 409,
  /** A freeze window keeps what clients get as it is; the detail says until when. */
  change_frozen: 409,
  /** The resource is not in a state from which it can be moved so. */
  invalid_transition: 409,
  feed_ahead: 409,
  feed_compacted: 410,
  precondition_failed: 412,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  quota_exceeded: 429,
  internal: 500,
  /** The write never entered the log: retry freely. */
  not_proposed: 503,
  /** The write may or may not be in the log: retry with the same idempotency key. */
  outcome_unknown: 503,
  /** A member of the core runs a build that does not understand this write yet; nothing changed. */
  upgrade_in_progress: 503,
  /** The key service is away, slow or refuses the key; nothing changed. */
  key_service_unavailable: 503,
  /** A dependency is away; the request changed nothing. */
  unavailable: 503,
  /** The minimum index asked for was not reached in time. */
  index_not_reached: 503,
} as const;

export type ErrorCode = keyof typeof STATUS_BY_CODE;

/** Short, stable titles (RFC 9457 `title`): the same for every occurrence of a code. */
export const TITLE_BY_CODE: Record<ErrorCode, string> = {
  validation_failed: "The request does not satisfy its schema",
  malformed_request: "The request could not be parsed",
  unauthenticated: "A valid bearer token is required",
  forbidden: "The caller may not do this",
  not_found: "Not found",
  method_not_allowed: "The resource does not answer this method",
  already_exists: "A resource of this name exists",
  conflict: "The present state does not allow this",
  idempotency_conflict: "The idempotency key was used with another body",
  publish_running: "A publish plan of the config is running",
  approval_required: "The change must be approved first",
  change_frozen: "Changes are frozen",
  invalid_transition: "The resource is not in a state that allows this",
  feed_ahead: "The cursor is past the end of the feed",
  feed_compacted: "The feed no longer reaches back to the cursor",
  precondition_failed: "The resource has changed",
  payload_too_large: "The body is too large",
  unsupported_media_type: "The media type is not supported",
  rate_limited: "Too many requests",
  quota_exceeded: "A quota of the tenant is used up",
  internal: "Unexpected error",
  not_proposed: "The write was not accepted; nothing changed",
  outcome_unknown: "The outcome of the write is unknown",
  upgrade_in_progress: "The cluster is being upgraded and does not take this write yet",
  key_service_unavailable: "The key that encrypts the content cannot be used",
  unavailable: "A dependency is unavailable",
  index_not_reached: "The requested index has not been reached",
};

/** One offending field. `path` is a JSON pointer into the request body (into the document, below `/content`). */
export interface FieldError {
  path: string;
  message: string;
  line?: number;
  column?: number;
}

/** What a verb throws to refuse: a code of the closed list, a sentence for people, and the fields at fault. */
export class ConfluxError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
  readonly retryAfterS: number | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    options: { errors?: readonly FieldError[]; retryAfterS?: number; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ConfluxError";
    this.code = code;
    this.errors = options.errors ?? [];
    this.retryAfterS = options.retryAfterS;
  }
}
