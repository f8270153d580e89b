/** Every limit of the public surface, by name; units last. Those that the rules enforce stand in domain/limits.ts. */
export {
  CONTENT_BYTES_MAX,
  DESCRIPTION_BYTES_MAX,
  IDEMPOTENCY_TTL_MS,
  LABEL_NAME_BYTES_MAX,
  LABEL_VALUE_BYTES_MAX,
  LABELS_MAX,
  SCHEMA_BYTES_MAX,
} from "../domain/limits.ts";

/** Bytes of an admin request body: content in base64 plus schema and the rest. */
export const ADMIN_BODY_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes of one encoded command, attachments included. */
export const COMMAND_BYTES_MAX = 8 * 1024 * 1024;
/** Characters of the unique name of a typed config's version: its config's id, and its number. */
export const GRAY_VERSION_ID_CHARACTERS_MAX = 160;
/** Bytes of a secret that is sealed by itself, to be a part of a config. */
export const SEALED_SECRET_BYTES_MAX = 8 * 1024;
/** How long a write of an encrypted content waits for the key service before it is refused. */
export const KEY_SERVICE_DEADLINE_MS = 3000;
/** Nesting of a parsed document. */
export const CONTENT_DEPTH_MAX = 200;
export const IDEMPOTENCY_KEY_BYTES_MAX = 128;
/** Admin requests a minute of a user who holds no role in any tenant; those of a tenant are its quota. */
export const TENANTLESS_REQUESTS_PER_MINUTE_MAX = 600;
export const LIST_LIMIT_DEFAULT = 50;
export const LIST_LIMIT_MAX = 200;
/** Feed entries in one answer. */
export const FEED_LIMIT_MAX = 1000;
/** Bytes after which a feed answer is closed early. */
export const FEED_ANSWER_BYTES_MAX = 8 * 1024 * 1024;
export const FEED_WAIT_MS_MAX = 20_000;
/** Entries the core keeps in its feed before the oldest are compacted away. */
export const FEED_RETAINED_ENTRIES_MAX = 200_000;
/** Content bytes that travel inside a feed answer or a compiled document; larger ones are fetched by hash. */
export const INLINE_BYTES_MAX = 32 * 1024;
export const BATCH_FETCH_MAX = 100;
export const WATCH_CONFIGS_MAX = 200;
export const TOKEN_SCOPES_MAX = 50;
export const CLIENT_TOKEN_TTL_S_MAX = 365 * 24 * 60 * 60;
/** How long a fetch waits for `X-Conflux-Min-Index`. */
export const MIN_INDEX_WAIT_MS = 1000;
/** Delivery reports in one request. */
export const REPORTS_MAX = 100;
/** Bytes of a request of reports. What is queued of it must fit into one message, for which Queues take 128 KB. */
export const REPORTS_BODY_BYTES_MAX = 112 * 1024;
export const CLIENT_ID_CHARACTERS_MAX = 128;
export const REPORT_REASON_CHARACTERS_MAX = 500;
/** A client that has not been heard of for so long is forgotten. */
export const DELIVERY_CLIENT_KEPT_MS = 30 * 24 * 60 * 60 * 1000;
/** Clients that are remembered of one config; the least recently seen make room. */
export const DELIVERY_CLIENTS_MAX = 100_000;
/** Days for which propagation is kept. */
export const PROPAGATION_KEPT_DAYS = 30;
/** When a config was last fetched is remembered for so long; the dead configs of a year can be asked for. */
export const FETCH_TIME_KEPT_MS = 400 * 24 * 60 * 60 * 1000;
export const NOT_FETCHED_DAYS_MAX = 365;
/** Versions and regions that the overview of a config tells apart; the ones with the most clients. */
export const DELIVERY_GROUPS_MAX = 500;
/** Clients that one dry run of a publish is asked about, each of them in every region. */
export const DRY_RUN_CLIENTS_MAX = 20;
/** Hex digits of a SHA-256. */
export const DIGEST_CHARACTERS = 64;
/** The ETag of a config: a log index in quotes. */
export const ETAG_CHARACTERS_MAX = 17;
/** An RFC 3339 moment, down to nanoseconds. */
export const TIME_CHARACTERS_MAX = 40;
/** Characters of a resource pattern: four names of 128 and the slashes between them. */
export const RESOURCE_PATTERN_CHARACTERS_MAX = 515;
export const CLUSTER_ID_CHARACTERS_MAX = 32;
/** The highest quota: what an integer column holds. */
export const QUOTA_MAX = 2_147_483_647;
/** Roles, and groups, that a request for a new user names. */
export const ROLES_OF_REQUEST_MAX = 50;
/** Rows of access that one tenant may have. */
export const ROLES_MAX = 1_000;
export const USER_GROUPS_MAX = 1_000;
export const APPLICATIONS_MAX = 10_000;
export const GROUP_MEMBERS_MAX = 10_000;
/** Permissions that all roles of one user grant together, in a tenant; a role alone grants no more either. */
export const PERMISSIONS_PER_USER_MAX = 10_000;
/** Records of failed sign-ins that one of the 256 shards keeps; the longest quiet go first. */
export const LOGIN_SUBJECTS_PER_SHARD_MAX = 512;
/** Addresses of one user that are remembered as known; the longest unused makes room. */
export const KNOWN_ADDRESSES_MAX = 10;
/** An address at which a user has not signed in for so long is not known any more. */
export const KNOWN_ADDRESS_KEPT_MS = 30 * 24 * 60 * 60 * 1000;
/** Sessions of one user at a time; the longest unused ends when another begins. */
export const SESSIONS_PER_USER_MAX = 50;
/** Expired rows that one sign-in clears away on its way. */
export const SESSION_SWEEP_MAX = 10;
/** How long a sign-in at an OIDC provider may take, from the redirect there to the callback. */
export const OIDC_SIGN_IN_MS_MAX = 10 * 60 * 1000;
/** How long the code lives that a callback hands to the console or the command line. */
export const LOGIN_CODE_TTL_MS = 60_000;
/** How long the provider may take to answer one request. */
export const OIDC_TIMEOUT_S = 4;
/** How long an isolate goes by what the provider said of itself. */
export const OIDC_DISCOVERY_KEPT_MS = 10 * 60 * 1000;
export const OIDC_REDIRECT_CHARACTERS_MAX = 1024;
/** The longest that a break-glass session may be asked for. */
export const BREAK_GLASS_MINUTES_MAX = 60;
export const BREAK_GLASS_REASON_CHARACTERS_MIN = 10;
export const BREAK_GLASS_REASON_CHARACTERS_MAX = 500;
/** Bytes of a version that is compared with another. */
export const DIFF_BYTES_MAX = 2 * 1024 * 1024;
/** Lines of a version that is compared with another. */
export const DIFF_LINES_MAX = 100_000;
/** Lines that a unified diff may add and remove together. */
export const DIFF_EDITS_MAX = 4_000;
/** Comparisons of lines that finding a unified diff may take, a long line counting more. */
export const DIFF_STEPS_MAX = 20_000_000;
/** Characters of a unified diff, and of a JSON Patch as JSON. */
export const DIFF_ANSWER_CHARACTERS_MAX = 1024 * 1024;
