/** Limits that the rules themselves enforce; contracts/limits.ts passes them on to the surfaces. Units last. */

/** Bytes of one version's content. */
export const CONTENT_BYTES_MAX = 5 * 1024 * 1024;
/** Bytes of one envelope: the content in base64, the wrapped key and the names around them. */
export const ENVELOPE_BYTES_MAX = Math.ceil(CONTENT_BYTES_MAX / 3) * 4 + 16 * 1024;
/** Data keys that one command wraps anew, ... */
export const REWRAP_VERSIONS_MAX = 50;
/** ... and bytes of the contents that are read for them, ... */
export const REWRAP_BYTES_MAX = 8 * 1024 * 1024;
/** ... and open change requests that are looked at. */
export const REWRAP_REQUESTS_MAX = 50;
/** Versions that one command removes by their config's retention, ... */
export const PRUNE_VERSIONS_MAX = 50;
/** ... and bytes of their contents, which are archived before; a single larger one is removed by itself. */
export const PRUNE_BYTES_MAX = 16 * 1024 * 1024;
/** Bytes of a JSON Schema. */
export const SCHEMA_BYTES_MAX = 1024 * 1024;
export const DESCRIPTION_BYTES_MAX = 1024;
export const RULES_MAX = 10_000;
/** Release rules of the configs whose data keys one command wraps anew: the feed tells them again. */
export const REWRAP_RULES_MAX = 10_000;
export const LABELS_MAX = 32;
export const LABEL_NAME_BYTES_MAX = 64;
export const LABEL_VALUE_BYTES_MAX = 256;
/** Regions that one rule's `edge` condition may name. */
export const RULE_REGIONS_MAX = 64;
/** Conditions (`when`) of one rule. */
export const CONDITIONS_MAX = 16;
/** Values of one condition that compares texts whole (`in`, `not_in`): these cost the same however many they are. */
export const CONDITION_VALUES_MAX = 1_000;
/** Values of one condition that are tried one after the other, of every other operator. */
export const CONDITION_TRIES_MAX = 100;
/** Values of all conditions of a config's rules. */
export const RULE_VALUES_MAX = 100_000;
/** Bytes of one regular expression. */
export const PATTERN_BYTES_MAX = 256;
/** Different regular expressions in a config's rules: an edge holds them compiled. */
export const RULE_PATTERNS_MAX = 100;
/** Instructions of one regular expression as it is compiled: what testing one character may cost. */
export const PATTERN_INSTRUCTIONS_MAX = 500;
/** Instructions of all regular expressions of a config's rules. */
export const RULE_PATTERN_INSTRUCTIONS_MAX = 5_000;
/** How far a rule's priority may be from 0. */
export const PRIORITY_ABS_MAX = 1_000_000;
/** Warnings in one answer; the rest is counted. */
export const RULE_WARNINGS_MAX = 20;
/** Pairs of rules, or of values of two conditions, that are compared when looking for rules that can never match. */
export const RULE_COMPARISONS_MAX = 1_000_000;
/** How long the result of an idempotent write is kept. */
export const IDEMPOTENCY_TTL_MS = 24 * 60 * 60 * 1000;
/** Idempotency results kept for a tenant; the oldest go first. */
export const IDEMPOTENCY_RESULTS_MAX = 100_000;
/** Characters of idempotency results kept for a tenant; the oldest go first. */
export const IDEMPOTENCY_RESULT_CHARS_MAX = 64 * 1024 * 1024;
/** Expired rows (results, revocations) that one command clears away on its way. */
export const EXPIRED_SWEEP_MAX = 4;
/** Chunks of one restore: with chunks of 4 MiB, a state of 64 GiB. */
export const RESTORE_CHUNKS_MAX = 16_384;
/** Epochs whose beginnings the state remembers; one begins with each restore. */
export const EPOCHS_MAX = 64;
/** Index rows that one listing looks at before it answers with what it has found. */
export const LIST_SCAN_MAX = 10_000;
/** Characters of configs or versions, with their schemas and rules, after which a page ends: the next one goes on. */
export const LIST_CHARACTERS_MAX = 8 * 1024 * 1024;
/** How long a stage of a publish plan may bake; fractions of a minute are welcome. */
export const BAKE_MINUTES_MIN = 0.01;
export const BAKE_MINUTES_MAX = 30 * 24 * 60;
export const STAGE_NAME_BYTES_MAX = 128;
/** Stages of one publish plan. */
export const PUBLISH_STAGES_MAX = 20;
/** How long a plan may be paused before the pause counts as forgotten. */
export const PAUSE_MINUTES_MIN = 0.01;
export const PAUSE_MINUTES_MAX = 30 * 24 * 60;
/** The same, when the caller does not say: a week. */
export const PAUSE_MINUTES_DEFAULT = 7 * 24 * 60;
/** Gates of one stage. */
export const GATES_MAX = 5;
/** Characters of the address of a webhook, and of its secret: as it is given (at least so many, too) and as it is sealed. */
export const GATE_URL_CHARACTERS_MAX = 1024;
export const GATE_SECRET_CHARACTERS_MIN = 16;
export const GATE_SECRET_CHARACTERS_MAX = 256;
export const GATE_SEALED_CHARACTERS_MAX = 1024;
/** People that one approval gate may ask for. */
export const GATE_APPROVERS_MAX = 10;
/** Clients that a gate on delivery reports may ask for. */
export const GATE_SAMPLE_MAX = 1_000_000;
/** Characters of why a gate does not hold, ... */
export const GATE_REASON_CHARACTERS_MAX = 256;
/** ... and of a person's comment or reason. */
export const GATE_COMMENT_CHARACTERS_MAX = 512;
/** Plans kept for a config, the running one included; the oldest go when a new one begins. */
export const PUBLISHES_KEPT_MAX = 100;
/** A plan that is due for so long and did not move is overdue: somebody has to look at it. */
export const PUBLISH_OVERDUE_MS = 60 * 60 * 1000;
/** Approval policies, and freeze windows, of one tenant. */
export const APPROVAL_POLICIES_MAX = 100;
export const FREEZE_WINDOWS_MAX = 100;
/** Approvers that one policy may ask for. */
export const APPROVALS_REQUIRED_MAX = 10;
/** How long one weekly freeze may last: a week of it would leave no time for a change. */
export const WEEKLY_FREEZE_MINUTES_MAX = 6 * 24 * 60;
/** Characters of the name of a freeze window, and of a reason or comment. */
export const FREEZE_NAME_CHARACTERS_MAX = 128;
export const CHANGE_COMMENT_CHARACTERS_MAX = 512;
/** How long a change request may be approved and executed after it was made or edited. */
export const CHANGE_REQUEST_TTL_MS = 7 * 24 * 60 * 60 * 1000;
/** Open change requests of one tenant, and all that are kept of it; the oldest that have ended go first. */
export const CHANGE_REQUESTS_OPEN_MAX = 500;
export const CHANGE_REQUESTS_KEPT_MAX = 1000;
/** Configs that one change request is about, of a batch or a bundle; the ones that a bundle deletes are counted, too. */
export const CHANGE_CONFIGS_MAX = 2_000;
/** Characters of the operation of a change request, contents apart. */
export const CHANGE_OPERATION_CHARACTERS_MAX = 1024 * 1024;
/** Configs of one bundle, exported or applied. */
export const BUNDLE_CONFIGS_MAX = 1_000;
/** Release rules of all configs of one bundle. */
export const BUNDLE_RULES_MAX = 20_000;
/** Bytes of all contents of an exported bundle, with characters of all else in it; an applied one is bounded by what a command may have. */
export const BUNDLE_BYTES_MAX = 6 * 1024 * 1024;
/** Contents of one entry beside its own. */
export const BUNDLE_VERSIONS_MAX = 50;
/** Failed sign-ins under one name from addresses that the name is not known at, before each further one locks it for a while. */
export const LOGIN_NAME_FAILURES_FREE = 5;
/** The same from one address, whatever the names: an office or a proxy has many people. */
export const LOGIN_ADDRESS_FAILURES_FREE = 20;
/** The first lock; each further failure doubles it. */
export const LOGIN_LOCK_FIRST_MS = 1_000;
/** No lock is longer, so that nobody can keep a user out for good. */
export const LOGIN_LOCK_MS_MAX = 15 * 60 * 1000;
/** Failures are forgotten when there was none for so long. Longer than any lock. */
export const LOGIN_FAILURES_KEPT_MS = 60 * 60 * 1000;
/** How long a refresh token that was just exchanged answers the same tokens again, for a client that did not get them. */
export const REFRESH_REPEAT_MS = 30_000;
/** A session that is not refreshed for so long has ended. */
export const SESSION_IDLE_MS_MAX = 12 * 60 * 60 * 1000;
/** However often it is refreshed, a session ends after so long. */
export const SESSION_LIFETIME_MS_MAX = 7 * 24 * 60 * 60 * 1000;
/** Operations of one JSON Patch between two versions. */
export const JSON_PATCH_OPERATIONS_MAX = 5_000;
/** Comparisons of values that finding a JSON Patch may take. */
export const JSON_PATCH_STEPS_MAX = 5_000_000;
/** Rows of an audit chain that a verifier holds at once. */
export const AUDIT_VERIFY_PAGE_MAX = 500;
/** Configs that one batch changes. */
export const BATCH_ITEMS_MAX = 100;
/** Release rules of all items of a batch: they are in its result, which is kept for repetitions. */
export const BATCH_RULES_MAX = 20_000;
/** Bytes of all contents of a batch. */
export const BATCH_CONTENT_BYTES_MAX = 5 * 1024 * 1024;
/** How far from its place a row of the audit is looked for before it counts as changed. */
export const AUDIT_REORDER_DISTANCE_MAX = 2_000;
/** Anchors that the state keeps of a tenant's audit chain; the newest one covers all that was before it. */
export const AUDIT_ANCHORS_MAX = 16;
/** Characters of a short column of a typed config (a code, a type, a flag), ... */
export const GRAY_CODE_CHARACTERS_MAX = 128;
/** ... of a longer one (an address, an ARN, a cursor), and of a description. */
export const GRAY_TEXT_CHARACTERS_MAX = 1024;
/** Characters of a section of a typed config as JSON (`basic_config` and the like), and how deep it may be nested. */
export const GRAY_SECTION_CHARACTERS_MAX = 64 * 1024;
export const GRAY_SECTION_DEPTH_MAX = 32;
/** Regions that a data source may name. */
export const GRAY_REGIONS_MAX = 64;
/** The longest pause between two reads of a data source: a day. */
export const GRAY_FETCH_INTERVAL_MS_MAX = 24 * 60 * 60 * 1000;
/** Characters of an access key's secret. */
export const GRAY_SECRET_CHARACTERS_MAX = 1024;
