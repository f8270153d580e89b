/** Names that the parts of a local stack share. */
export const CLUSTER_ID = "c1";
export const DEMO_TENANT = "demo";
export const ADMIN_USERNAME = "admin";
/** The KMS key that wraps the token signing key. */
export const TOKEN_KEY_ALIAS = "alias/conflux-token-signing";
/** The KMS key that wraps the data keys of encrypted configs whose application has no key of its own. */
export const CONFIG_KEY_ALIAS = "alias/conflux-configs";
/** Path of the password function at the Lambda runner. */
export const PASSWORD_HASH_PATH = "/functions/password-hash";
/** Path of the hints' queue at the Lambda runner, with an account's number before it as AWS has it. */
export const PUBLISH_HINTS_QUEUE_PATH = "/000000000000/conflux-publish-hints";
