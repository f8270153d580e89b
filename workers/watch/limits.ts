/** Every limit and interval of the watch Worker, by name; units last. */

// The follow loop of a replica.
/** How long one run of the alarm follows the feed before it re-arms itself. */
export const LOOP_MS = 8_000;
/** Feed answers handled in one run of the alarm, whatever the clock says. */
export const LOOP_STEPS_MAX = 1_000;
/** Entries asked for at once. */
export const FEED_BATCH_MAX = 500;
/** Configs asked for in one page of a snapshot. */
export const SNAPSHOT_PAGE_MAX = 200;
/** The long poll of a resync that has all pages and waits for the feed to reach the last one. */
export const CATCH_UP_WAIT_MS = 500;
/** What a feed answer may take on top of its long poll before it counts as lost. */
export const FEED_ANSWER_GRACE_MS = 5_000;
export const BACKOFF_MIN_MS = 200;
export const BACKOFF_MAX_MS = 2_000;
/** Contents fetched, and KV entries written, at the same time (a Worker has six connections). */
export const IN_FLIGHT_MAX = 5;

// What a replica answers.
/** Entries and revocations of one delta; a longer one is answered `dropped`. */
export const HEAD_DELTA_MAX = 1_000;
export const LOOKUP_NAMES_MAX = 200;
export const LOOKUP_WAIT_MS_MAX = 5_000;
/** Lookups that may wait for an index at the same time. */
export const WAITERS_MAX = 10_000;
/** How long a question to a replica that has never synced waits for the first sync. */
export const FIRST_SYNC_WAIT_MS = 5_000;
/** A replica that has not heard from the core for this long looks whether its loop still has an alarm. */
export const SILENT_MS_MAX = 30_000;
export const NAMESPACE_PAGE_MAX = 200;

// What a replica keeps.
/** Deleted names are remembered this long; a cursor from before that is answered `dropped`. */
export const TOMBSTONE_KEEP_MS = 24 * 60 * 60 * 1000;
/** Bytes that no head entry names are kept this long, for isolates with an older head. */
export const CONTENT_GRACE_MS = 60 * 60 * 1000;
/** Bytes in one row; the platform's limit for a row is 2 MB. */
export const CHUNK_BYTES_MAX = 1024 * 1024;
/** Bytes given to KV that an object holds before it writes them to its own rows. */
export const UNKEPT_BYTES_MAX = 4 * 1024 * 1024;
/** The platform's limit for a KV value; a larger document is refused and the one before it stays. */
export const KV_VALUE_BYTES_MAX = 25 * 1024 * 1024;
export const KV_TTL_S = 30 * 24 * 60 * 60;
/** A live KV entry is written again at this age, well before it would expire. */
export const KV_REWRITE_AFTER_MS = 20 * 24 * 60 * 60 * 1000;
export const SWEEP_INTERVAL_MS = 60_000;
/** Rows of each kind that one sweep removes, and KV entries that it rewrites. */
export const SWEEP_ROWS_MAX = 200;

// What a replica tells its hubs.
/** Batches kept for hubs that have not taken them; a hub further behind is told to resync. */
export const OUTBOX_BATCHES_MAX = 500;
/** Changes handed to a hub in one call. */
export const HUB_CHANGES_MAX = 1_000;
export const HUB_PUBLISH_TIMEOUT_MS = 2_000;
/** How long a hub that failed to take a batch is left alone. */
export const HUB_BACKOFF_MS = 1_000;
/** A hub that has not registered again for this long has no sockets left. */
export const HUB_REGISTRATION_TTL_MS = 10 * 60 * 1000;
/** How often a hub with sockets registers again; a replica that lost its storage learns of it here. */
export const HUB_RENEW_MS = 60_000;
/** A registration older than this may have been forgotten: a hub that gets a watcher then registers first. */
export const REGISTRATION_FRESH_MS = 5 * HUB_RENEW_MS;
/** What a refused watcher is asked to wait, s. */
export const BUSY_RETRY_S = 2;

// What a hub holds.
/** WebSockets and event streams of one hub. */
export const HUB_SOCKETS_MAX = 4_000;
/** A socket's principal and subscriptions as stored with it; the platform's limit is 16 KiB. */
export const ATTACHMENT_BYTES_MAX = 15 * 1024;
export const CLIENT_MESSAGE_BYTES_MAX = 64 * 1024;
/** What one socket may say in a window, messages and bytes, besides `ping`; past it the socket is closed. */
export const CLIENT_WINDOW_MS = 10_000;
export const CLIENT_WINDOW_MESSAGES_MAX = 100;
export const CLIENT_WINDOW_BYTES_MAX = 512 * 1024;
/** A client that says `ping` as it goes, and then says none for this long, is gone. */
export const SOCKET_SILENT_MS_MAX = 5 * 60_000;
/** A `ping` this soon after the opening is a greeting, and no promise of more. */
export const GREETING_PING_MS = 60_000;
/** How much of a refused name is repeated to the client that sent it; the longest that is none is cut. */
export const TOLD_NAME_CHARACTERS_MAX = 600;
/** Changes held for a socket that is being caught up; past it the socket is told to resync. */
export const PENDING_CHANGES_MAX = 1_000;
/** Clients that may fetch in the same second; the jitter window of a change grows with the sockets it goes to. */
export const JITTER_CLIENTS_PER_S = 2_000;
/** A change that goes to no more sockets than this needs no jitter. */
export const JITTER_FREE_SOCKETS = 100;
export const JITTER_MS_MAX = 30_000;
/** Connections that a hub takes in a second: a quarter of what the platform gives an object, the rest is for changes. */
export const HUB_RECONNECTS_PER_S = 250;
/** Questions of resuming watchers that a replica answers in a second; the other half of an object's is for fetches. */
export const REPLICA_RESUMES_PER_S = 500;
export const RECONNECT_JITTER_MS_MIN = 1_000;
export const RECONNECT_JITTER_MS_MAX = 120_000;
export const SSE_HEARTBEAT_MS = 15_000;
/** Bytes that may wait in a stream whose client does not read. */
export const SSE_BUFFER_BYTES_MAX = 256 * 1024;
/** What an event stream's client should wait before it reconnects, at least. */
export const SSE_RETRY_MS = 2_000;
