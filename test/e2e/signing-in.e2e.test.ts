import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CLIENT_ID,
  CLIENT_SECRET,
  startOidcProvider,
  type TestProvider,
  visitProvider,
} from "../testing/oidc.ts";
import { makePlace, type Place, type Stack, startStack } from "../testing/stack.ts";
import { admin, adminOk, type Answer, fetchConfig } from "../testing/stack-client.ts";

const WRONG = "wrong horse";
let place: Place;
let callbackUrl: string;
let provider: TestProvider;
let stack: Stack;
let password: string;

beforeAll(async () => {
  place = await makePlace();
  callbackUrl = `http://localhost:${place.ports.admin}/api/v1/auth/oidc/callback`;
  provider = await startOidcProvider(callbackUrl);
  const oidc = {
    issuer: provider.issuer,
    client_id: CLIENT_ID,
    callback_url: callbackUrl,
    redirect_origins: ["http://127.0.0.1:*"],
    create_users: true,
    allow_http: true,
  };
  stack = await startStack({
    place,
    env: { CONFLUX_OIDC_SETTINGS: JSON.stringify(oidc), CONFLUX_OIDC_CLIENT_SECRET: CLIENT_SECRET },
  });
  password = /admin \/ (\S+) \(/.exec(stack.output())?.[1] ?? "";
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
  await provider.stop();
  place.remove();
});

const login = (username: string, secret: string): Promise<Answer> =>
  admin(stack, "POST", "/auth/login", { username, password: secret });
const refresh = (token: unknown): Promise<Answer> =>
  admin(stack, "POST", "/auth/refresh", { refresh_token: token });
const bearerOf = ({ json }: Answer) => ({ authorization: `Bearer ${String(json["access_token"])}` });

describe("A3 through the stack", () => {
  test("sign in, refresh, change the password, sign out", async () => {
    const first = await login("admin", password);
    expect([first.status, first.json["token_type"]]).toEqual([200, "Bearer"]);
    const second = await refresh(first.json["refresh_token"]);
    expect(second.status).toBe(200);
    const changed = await admin(
      stack,
      "POST",
      "/auth/password",
      { current: password, new: "a longer password" },
      bearerOf(second),
    );
    expect(changed.status).toBe(200);
    password = "a longer password";
    expect((await refresh(second.json["refresh_token"])).status).toBe(401);
    expect((await admin(stack, "GET", "/auth/client-tokens", undefined, bearerOf(second))).status).toBe(401);
    expect((await admin(stack, "GET", "/auth/client-tokens", undefined, bearerOf(changed))).status).toBe(200);
    const out = await admin(stack, "POST", "/auth/logout", { refresh_token: changed.json["refresh_token"] });
    expect(out.json).toEqual({ ended: 1 });
    expect((await refresh(changed.json["refresh_token"])).status).toBe(401);
  });

  test("failed sign-ins lock the name, and an operator unlocks it", async () => {
    const operator = bearerOf(await login("admin", password));
    const answers = await Promise.all(Array.from({ length: 16 }, () => login("admin", WRONG)));
    expect(answers.filter(({ status }) => status === 401).length).toBe(5);
    const refused = answers.find(({ status }) => status === 429);
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    const unlocked = await admin(stack, "POST", "/auth/unlock", { username: "admin" }, operator);
    expect(unlocked.json).toEqual({ unlocked: true });
    expect((await login("admin", password)).status).toBe(200);
  });

  test("sign in at a provider, from a command line's redirect, in workerd", async () => {
    const start = await fetch(
      `${stack.dev.admin_url}/api/v1/auth/oidc/start?redirect=${encodeURIComponent("http://127.0.0.1:9/done")}`,
      { redirect: "manual" },
    );
    expect(start.status).toBe(302);
    const cookie = (start.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    const callback = await visitProvider(String(start.headers.get("location")), callbackUrl);
    const come = () => fetch(callback, { redirect: "manual", headers: { cookie } });
    const back = await come();
    expect(back.status).toBe(302);
    const target = new URL(String(back.headers.get("location")));
    expect(target.href).toMatch(/^http:\/\/127\.0\.0\.1:9\/done\?login_code=/);
    const tokens = await refresh(target.searchParams.get("login_code"));
    expect(tokens.status).toBe(200);
    const configs = await admin(stack, "GET", "/mgt/configs?tenant=demo", undefined, bearerOf(tokens));
    expect(configs.status).toBe(403);
    expect((await come()).status).toBe(401);
  });

  test("break-glass: the owner of the database lets an operator in", async () => {
    const { postgres_port: port } = readJson("memo.json");
    const { postgres_password: secret } = readJson("secrets.json");
    const url = `postgres://postgres:${String(secret)}@127.0.0.1:${String(port)}/conflux`;
    const { stdout } = await promisify(execFile)(
      join(import.meta.dirname, "../../cli/conflux"),
      ["break-glass", "open", "--reason", "nobody can sign in", "--json"],
      { env: { ...process.env, CONFLUX_OWNER_DATABASE_URL: url } },
    );
    const { code } = JSON.parse(stdout) as { code: string };
    const session = await admin(stack, "POST", "/auth/break-glass", { code });
    expect(session.status).toBe(200);
    expect((await admin(stack, "GET", "/mgt/cluster/status", undefined, bearerOf(session))).status).toBe(200);
    expect((await admin(stack, "POST", "/auth/break-glass", { code })).status).toBe(401);
  });

  test("a revoked client token is refused by an edge that has reached the revocation's index", async () => {
    const name = "demo/shop/prod/app.json";
    // The token of dev.json ended with the change of the password.
    const bearer = bearerOf(await login("admin", password));
    const body = { name: "revoked soon", scopes: ["read:demo/**"], ttl_seconds: 600 };
    const made = await adminOk(stack, "POST", "/auth/client-tokens", body, bearer);
    const token = String(made.json["token"]);
    expect((await fetchConfig(stack, name, { token })).status).toBe(200);
    const path = `/auth/client-tokens/${String(made.json["id"])}`;
    const revoked = await adminOk(stack, "DELETE", path, undefined, bearer);
    const minIndex = String(revoked.json["index"]);
    // Another client's fetch brings the edge there.
    expect((await fetchConfig(stack, name, { minIndex })).status).toBe(200);
    expect((await fetchConfig(stack, name, { token })).status).toBe(401);
    expect((await fetchConfig(stack, name)).status).toBe(200);
  });

  test.each([
    ["postgres", "Postgres"],
    ["lambda", "the password function"],
  ] as const)("A7 %s stands still: 503, nothing is counted, and then it goes on", async (part, _name) => {
    const pid = stack.dev.pids[part] ?? 0;
    expect(pid).toBeGreaterThan(1);
    process.kill(pid, "SIGSTOP");
    try {
      for (let i = 0; i < 2; i += 1) {
        const answer = await login("admin", password);
        expect([answer.status, answer.json["code"]]).toEqual([503, "unavailable"]);
      }
      // What is served at the edge needs neither.
      expect((await fetchConfig(stack, "demo/shop/prod/app.json")).status).toBe(200);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    expect((await login("admin", password)).status).toBe(200);
  });
});

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(place.dataDir, file), "utf8")) as Record<string, unknown>;
}
