/** A backup and its restore, by the admin API, under whatever faults there are; and new tokens afterwards. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { DevJson } from "../../dev/dev-json.ts";
import { type Stack, until } from "../testing/stack.ts";
import { admin, type Answer } from "../testing/stack-client.ts";

const JOB_MS_MAX = 60_000;
const RETRY_PAUSE_MS = 200;
const CLIENT_TOKEN_TTL_S = 24 * 60 * 60;
const CLUSTER = "/mgt/cluster";
const UNAUTHORIZED = 401;

/** A stack whose admin signs in again after a restore has ended all sessions: dev.json has those of its start. */
export interface SignedInStack extends Stack {
  /** Whoever asks by this stack has a new session from now on. */
  signIn(): Promise<void>;
}

export function withSessions(stack: Stack): SignedInStack {
  const password = /admin \/ (\S+)/.exec(stack.output())?.[1] ?? "";
  const sessions: Partial<DevJson> = {};
  const signIn = async (): Promise<void> => {
    const answer = await until(async () => {
      const login = await admin(stack, "POST", "/auth/login", { username: "admin", password }).catch(
        () => null,
      );
      return login !== null && login.status < 500 && login;
    }, "the admin signs in");
    if (answer.status !== 200) throw new Error(`the admin cannot sign in: ${answer.status} ${answer.text}`);
    sessions.admin_token = String(answer.json["access_token"]);
  };
  return Object.create(stack, {
    dev: { get: () => ({ ...stack.dev, ...sessions }) },
    signIn: { value: signIn },
  }) as SignedInStack;
}

/** Takes a backup and answers its id. */
export async function takeBackup(stack: SignedInStack): Promise<string> {
  const key = { "x-idempotency-key": randomUUID() };
  return until(
    async () => {
      const taken = await answered(stack, "POST", `${CLUSTER}/backups`, {}, key);
      return taken?.json["state"] === "complete" && String(taken.json["backup_id"]);
    },
    "a backup is taken",
    JOB_MS_MAX,
  );
}

/**
 * Restores a backup, however often that must be asked for; answers the epoch that begins. Always under one key: a restore
 * that failed may have happened, and another key would restore again, in the background, and end the tokens of the first.
 */
export async function restoreBackup(stack: SignedInStack, backupId: string): Promise<number> {
  const before = await epochOf(stack);
  const key = { "x-idempotency-key": randomUUID() };
  await until(
    async () => {
      await answered(stack, "POST", `${CLUSTER}/restore-from-backup`, { backup_id: backupId }, key);
      return (await epochOf(stack)) > before;
    },
    "the backup is restored",
    JOB_MS_MAX,
  );
  return epochOf(stack);
}

/** A token for clients, of after the restore. */
export async function issueClientToken(stack: SignedInStack): Promise<string> {
  const body = { name: "chaos", scopes: ["read:demo/**"], ttl_seconds: CLIENT_TOKEN_TTL_S };
  const issued = await until(() => answered(stack, "POST", "/auth/client-tokens", body), "a token is issued");
  return String(issued.json["token"]);
}

/** The epoch in which the core is. */
export async function epochOf(stack: SignedInStack): Promise<number> {
  const status = await until(() => answered(stack, "GET", `${CLUSTER}/status`), "the cluster has a status");
  return Number(status.json["epoch"]);
}

/**
 * An answer that is a success; null when there was none, or another. A session that has ended is begun anew.
 */
async function answered(
  stack: SignedInStack,
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<Answer | null> {
  const answer = await admin(stack, method, path, body, headers).catch(() => null);
  if (answer?.status === UNAUTHORIZED) await stack.signIn();
  if (answer !== null && answer.status < 300) return answer;
  await sleep(RETRY_PAUSE_MS);
  return null;
}
