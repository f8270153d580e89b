/**
 * What belongs to no tenant of users stands here: the core and its backups, signing in, and the audit of them. No tenant can
 * have this name, and no role reaches it: only operators do (`users.is_operator`).
 */
export const SYSTEM_TENANT = "_system";
