import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreClient } from "../adapters/core-client/core-client.ts";
import { importSigningKey, signAccessToken } from "../adapters/tokens/sign-token.ts";
import { createAdminClient } from "./admin-client.ts";
import { awaitLeader } from "./await-leader.ts";
import { awaitServed } from "./await-served.ts";
import type { StackContext } from "./child-specs.ts";
import { coreNodeIds } from "./core-cluster.ts";
import type { StackTokens } from "./dev-json.ts";
import { readMemo, remember } from "./memo.ts";
import { ADMIN_USERNAME, DEMO_TENANT } from "./names.ts";
import { createSampleData } from "./sample-data.ts";
import type { SigningJwk } from "./secrets.ts";

/** The tokens in dev.json outlive any session at a desk. */
const ADMIN_TOKEN_TTL_S = 30 * 24 * 60 * 60;
const CLIENT_TOKEN_TTL_S = 365 * 24 * 60 * 60;
/** A client token that ends sooner is replaced at the start. */
const CLIENT_TOKEN_LEFT_S_MIN = 30 * 24 * 60 * 60;

/** Makes the tokens of dev.json and, once, the sample data: through the admin API, as any user would. */
export async function prepareTenant(input: {
  context: StackContext;
  signingJwk: SigningJwk;
  adminUserId: string;
}): Promise<StackTokens> {
  const { settings, secrets, paths } = input.context;
  const key = await importSigningKey(input.signingJwk);
  const admin = await signAccessToken(key, {
    userId: input.adminUserId,
    username: ADMIN_USERNAME,
    jti: randomUUID(),
    nowMs: Date.now(),
    ttlS: ADMIN_TOKEN_TTL_S,
  });
  const client = createAdminClient({ url: `http://127.0.0.1:${settings.adminPort}`, token: admin.token });
  const { tokens_not_before_ms } = await awaitLeader(openCore(input.context), (ms) => sleep(ms));
  const clientToken = await usableClientToken(paths.memo, tokens_not_before_ms, async () => {
    const answer = await client.request("POST", "/auth/client-tokens", {
      name: "dev.json",
      scopes: [`read:${DEMO_TENANT}/**`],
      ttl_seconds: CLIENT_TOKEN_TTL_S,
    });
    return String(answer["token"]);
  });
  if (!readMemo(paths.memo).sample_data) {
    const { config, index } = await createSampleData(client, DEMO_TENANT);
    const edgeUrl = `http://127.0.0.1:${settings.edgePort}`;
    if (index !== null) await awaitServed({ edgeUrl, token: clientToken, config, index });
    remember(paths.memo, { sample_data: true });
  }
  return {
    tenant: DEMO_TENANT,
    admin_token: admin.token,
    client_token: clientToken,
    callback_secret: secrets.callback_secret,
  };
}

/**
 * The client token of the last start while it is good for long enough and no restore has called it in; otherwise a new
 * one, remembered.
 */
async function usableClientToken(
  memoPath: string,
  notBeforeMs: number,
  make: () => Promise<string>,
): Promise<string> {
  const known = readMemo(memoPath).client_token;
  if (known !== undefined) {
    const { exp, iat } = timesOf(known);
    if (exp - Date.now() / 1000 > CLIENT_TOKEN_LEFT_S_MIN && iat * 1000 >= notBeforeMs) return known;
  }
  const token = await make();
  remember(memoPath, { client_token: token });
  return token;
}

/** Seconds since 1970. */
function timesOf(token: string): { exp: number; iat: number } {
  const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
  const { exp = 0, iat = 0 } = JSON.parse(payload) as { exp?: number; iat?: number };
  return { exp, iat };
}

function openCore({ settings, secrets }: StackContext): CoreClient {
  const urls = coreNodeIds(settings).map((id) => `http://127.0.0.1:${settings.corePort + id}`);
  return new CoreClient({ urls, serviceKey: secrets.core_service_key, role: "admin" });
}
