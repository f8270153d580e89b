import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createOidcProvider } from "../../adapters/oidc/oidc-provider.ts";
import { openSignIn, sealSignIn } from "../../adapters/tokens/seal-sign-in.ts";
import { oidcSettings } from "../../contracts/access/session-api.ts";
import { LOGIN_CODE_TTL_MS, OIDC_SIGN_IN_MS_MAX } from "../../contracts/limits.ts";
import type { TestingAdmin } from "../../workers/admin/testing-admin.ts";
import { type AuthPlace, type Json, json, startAuthPlace } from "../testing/auth-admin.ts";
import { type LyingProvider, startLyingProvider } from "../testing/lying-provider.ts";
import {
  CLIENT_ID,
  CLIENT_SECRET,
  startOidcProvider,
  type TestProvider,
  visitProvider,
} from "../testing/oidc.ts";

const CALLBACK = "http://127.0.0.1:1/api/v1/auth/oidc/callback";
const START = "/api/v1/auth/oidc/start";
const CONSOLE = "https://console.example.com";
const READER = { sub: "sub-1", email: "reader@example.com", email_verified: true };
let place: AuthPlace;
let provider: TestProvider;
let liar: LyingProvider;
beforeAll(async () => {
  place = await startAuthPlace();
  provider = await startOidcProvider(CALLBACK);
  liar = await startLyingProvider();
});
afterAll(() => Promise.all([place.stop(), provider.stop(), liar.stop()]));
beforeEach(async () => {
  place.aheadS = 0;
  provider.account = READER;
  await place.owner`delete from user_identities`;
});

function admin(changes: Json = {}): TestingAdmin {
  const settings = oidcSettings.parse({
    issuer: provider.issuer,
    client_id: CLIENT_ID,
    callback_url: CALLBACK,
    redirect_origins: [CONSOLE, "http://127.0.0.1:*"],
    link_by_email: true,
    allow_http: true,
    ...changes,
  });
  const made = createOidcProvider(settings, CLIENT_SECRET);
  return place.admin({ oidc: () => made });
}

/** Begins a sign-in; answers where the browser is sent and what it keeps. */
async function begin(testing: TestingAdmin, redirect?: string) {
  const query = redirect === undefined ? "" : `?redirect=${encodeURIComponent(redirect)}`;
  const response = await testing.send("GET", `${START}${query}`);
  expect(response.status).toBe(302);
  const cookie = (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  return { address: String(response.headers.get("location")), cookie };
}
const comeBack = (testing: TestingAdmin, callback: URL, cookie: string): Promise<Response> =>
  testing.send("GET", `${callback.pathname}${callback.search}`, undefined, cookie === "" ? {} : { cookie });
async function signIn(testing: TestingAdmin, redirect?: string): Promise<Response> {
  const { address, cookie } = await begin(testing, redirect);
  return comeBack(testing, await visitProvider(address, CALLBACK), cookie);
}
const users = () =>
  place.owner`select id, username, email, password_hash, is_operator from users order by id`;
const refresh = (testing: TestingAdmin, token: unknown) =>
  testing.send("POST", "/api/v1/auth/refresh", { refresh_token: token });

describe("A3 signing in at a provider", () => {
  test("answers the same tokens as a password does, for a user linked by e-mail the first time", async () => {
    const testing = admin();
    const answer = await signIn(testing);
    expect(answer.status).toBe(200);
    const body = await json(answer);
    expect(body).toMatchObject({ token_type: "Bearer", expires_in: 900 });
    const bearer = { authorization: `Bearer ${String(body["access_token"])}` };
    expect((await testing.send("GET", "/api/v1/auth/client-tokens", undefined, bearer)).status).toBe(200);
    expect((await refresh(testing, body["refresh_token"])).status).toBe(200);
    // Known by its subject from now on, whatever its address becomes and whatever is configured.
    provider.account = { ...READER, email: "new@example.com", email_verified: false };
    expect((await signIn(admin({ link_by_email: false }))).status).toBe(200);
    const rows =
      await place.owner`select action, actor_id, outcome, summary from audit_logs order by id limit 2`;
    expect(rows).toMatchObject([
      { action: "write", actor_id: "usr_reader", outcome: "success" },
      { action: "login", actor_id: "usr_reader", outcome: "success" },
    ]);
    expect(rows[0]?.["summary"]).toMatch(/^linked with an identity of .* by the e-mail address reader@/);
  });

  test("sends the browser there with PKCE, state and nonce, and keeps them sealed with it", async () => {
    const { address, cookie } = await begin(admin());
    const { searchParams } = new URL(address);
    expect(searchParams.get("code_challenge_method")).toBe("S256");
    for (const name of ["state", "nonce", "code_challenge"]) {
      expect(searchParams.get(name)?.length).toBeGreaterThan(20);
      expect(cookie).not.toContain(searchParams.get(name));
    }
    const response = await admin().send("GET", START);
    expect(response.headers.get("set-cookie")).toMatch(/HttpOnly.*SameSite=Lax|SameSite=Lax.*HttpOnly/);
  });

  test("over TLS the cookie is this host's alone", async () => {
    const callback_url = "https://admin.example.com/api/v1/auth/oidc/callback";
    const response = await admin({ callback_url }).send("GET", START);
    expect(response.headers.get("set-cookie")).toMatch(/^__Host-conflux_sign_in=.*Path=\/.*Secure/);
  });

  test("hands a console or a command line a code, good once and for a minute", async () => {
    const testing = admin();
    for (const redirect of [`${CONSOLE}/signed-in?of=7`, "http://127.0.0.1:49152/done"]) {
      const answer = await signIn(testing, redirect);
      expect(answer.status).toBe(302);
      const target = new URL(String(answer.headers.get("location")));
      expect(target.href.startsWith(redirect)).toBe(true);
      const code = target.searchParams.get("login_code");
      const exchanged = await refresh(testing, code);
      expect(exchanged.status).toBe(200);
      const { refresh_token } = await json(exchanged);
      const [row] = await place.owner`select * from audit_logs order by id desc limit 1`;
      expect(row).toMatchObject({ actor_id: "usr_reader", action: "write", resource: "sessions" });
      expect(row?.["summary"]).toMatch(/^exchanged the code of a sign-in for the tokens of session ses_/);
      expect((await refresh(testing, code)).status).toBe(401);
      expect((await refresh(testing, refresh_token)).status).toBe(401);
    }
    const late = await signIn(testing, CONSOLE);
    const code = new URL(String(late.headers.get("location"))).searchParams.get("login_code");
    place.aheadS = LOGIN_CODE_TTL_MS / 1000;
    expect((await refresh(testing, code)).status).toBe(401);
  });

  test.each([
    "https://evil.example.com/",
    "http://console.example.com/",
    "http://127.0.0.1.evil.com/",
    "nowhere",
  ])("does not end at %s", async (redirect) => {
    const response = await admin().send("GET", `${START}?redirect=${encodeURIComponent(redirect)}`);
    expect([response.status, (await json(response))["errors"]]).toMatchObject([
      400,
      [{ path: "/query/redirect" }],
    ]);
  });

  test("is not there where no provider is configured", async () => {
    for (const path of [START, "/api/v1/auth/oidc/callback?code=x&state=y"]) {
      expect((await place.admin().send("GET", path)).status).toBe(404);
    }
  });
});

describe("A3 whom an identity is", () => {
  test.each([
    ["nothing is configured", { link_by_email: false }, {}],
    ["the address is not verified", {}, { email_verified: false }],
    ["the address is nobody's", {}, { email: "nobody@example.com" }],
    ["the address is only alike", {}, { email: "Reader@example.com" }],
    ["the new user's name is taken", { link_by_email: false, create_users: true }, {}],
  ])("nobody's when %s: nothing is made", async (_name, settings, account) => {
    provider.account = { ...READER, ...account };
    const before = await users();
    const answer = await signIn(admin(settings));
    expect([answer.status, (await json(answer))["code"]]).toEqual([403, "forbidden"]);
    expect(await users()).toEqual(before);
    expect(await place.owner`select 1 from user_identities`).toHaveLength(0);
    const [row] = await place.owner`select outcome, actor_id from audit_logs order by id desc limit 1`;
    expect(row).toMatchObject({ outcome: "failure", actor_id: "" });
  });

  test("a new user's, where that is configured: without a role and without a password", async () => {
    provider.account = { sub: "sub-new", email: "new@example.com", email_verified: true };
    const testing = admin({ create_users: true });
    const body = await json(await signIn(testing));
    const bearer = { authorization: `Bearer ${String(body["access_token"])}` };
    expect((await testing.send("GET", "/api/v1/mgt/configs?tenant=demo", undefined, bearer)).status).toBe(
      403,
    );
    const [made] = await place.owner`select * from users where username = 'new@example.com'`;
    expect(made).toMatchObject({ password_hash: null, is_operator: false, is_active: true });
    const login = await testing.send("POST", "/api/v1/auth/login", {
      username: "new@example.com",
      password: "anything at all",
    });
    expect(login.status).toBe(401);
    provider.account = { sub: "sub-plain", email: "plain@example.com", email_verified: false };
    expect((await signIn(testing)).status).toBe(200);
    const [plain] = await place.owner`select email from users where username like '%:sub-plain'`;
    expect(plain).toEqual({ email: null });
  });

  /** Lets the table refuse rows for which `condition` holds. */
  const refusing = async (table: string, condition: string, work: () => Promise<void>): Promise<void> => {
    await place.owner.unsafe(`
      create or replace function refuse_some() returns trigger language plpgsql as $$
      begin if ${condition} then raise exception 'full'; end if; return new; end $$;
      create trigger zz_refuse before insert on ${table} for each row execute function refuse_some()`);
    try {
      await work();
    } finally {
      await place.owner.unsafe(`drop trigger zz_refuse on ${table}`);
    }
  };
  const countOf = async (text: string): Promise<number> =>
    (await place.owner`select 1 from audit_logs where summary like ${text}`).length;

  test.each([
    ["linked", { sub: "sub-1", email: "reader@example.com" }, "linked with an identity%"],
    ["made", { sub: "sub-lost", email: "lost@example.com" }, "made for an identity%"],
  ])(
    "A5 a user %s by a sign-in is in the audit, whatever becomes of the sign-in",
    async (_done, account, row) => {
      provider.account = { ...account, email_verified: true };
      const testing = admin({ create_users: true });
      const before = await countOf(row);
      const count = (await users()).length;
      // Without its row it is not done at all.
      await refusing("audit_logs", `new.summary like '${row}'`, async () => {
        expect((await signIn(testing)).status).toBe(500);
      });
      expect(await place.owner`select 1 from user_identities`).toHaveLength(0);
      expect(await users()).toHaveLength(count);
      await refusing("session_families", "true", async () => {
        expect((await signIn(testing)).status).toBe(500);
      });
      expect(await place.owner`select 1 from user_identities`).toHaveLength(1);
      expect(await countOf(row)).toBe(before + 1);
      expect((await signIn(testing)).status).toBe(200);
      expect(await countOf(row)).toBe(before + 1);
    },
  );

  test("an inactive user is not let in, and a user keeps the identity first linked", async () => {
    expect((await signIn(admin())).status).toBe(200);
    provider.account = { ...READER, sub: "sub-2" };
    expect((await signIn(admin())).status).toBe(403);
    provider.account = READER;
    await place.owner`update users set is_active = false where id = 'usr_reader'`;
    expect((await signIn(admin())).status).toBe(403);
    await place.owner`update users set is_active = true where id = 'usr_reader'`;
  });
});

describe("A3 a callback that does not fit", () => {
  const expectRefused = async (answer: Response, status = 401): Promise<void> => {
    expect([answer.status, (await json(answer))["code"]]).toEqual([
      status,
      status === 401 ? "unauthenticated" : "unavailable",
    ]);
    expect(await place.owner`select 1 from user_identities`).toHaveLength(0);
  };

  test.each([
    ["another state", (url: URL) => url.searchParams.set("state", "x".repeat(43))],
    ["no state", (url: URL) => url.searchParams.delete("state")],
    ["another issuer", (url: URL) => url.searchParams.set("iss", "https://evil.example.com")],
    ["another code", (url: URL) => url.searchParams.set("code", "x".repeat(43))],
    ["no code", (url: URL) => url.searchParams.delete("code")],
    ["an error", (url: URL) => url.searchParams.set("error", "access_denied")],
  ])("is refused: %s", async (_name, change) => {
    const testing = admin();
    const { address, cookie } = await begin(testing);
    const callback = await visitProvider(address, CALLBACK);
    change(callback);
    await expectRefused(await comeBack(testing, callback, cookie));
  });

  test("is refused: no cookie, an altered one, another browser's, one too old, one of another key", async () => {
    const testing = admin();
    const { address, cookie } = await begin(testing);
    const callback = await visitProvider(address, CALLBACK);
    const { cookie: others } = await begin(testing);
    for (const wrong of ["", `${cookie.slice(0, -4)}AAAA`, others]) {
      await expectRefused(await comeBack(testing, callback, wrong));
    }
    place.aheadS = OIDC_SIGN_IN_MS_MAX / 1000;
    await expectRefused(await comeBack(testing, callback, cookie));
  });

  test("is refused: another nonce, an expired code, a replay", async () => {
    const testing = admin();
    const { derived } = place.key;
    const first = await begin(testing);
    const sealed = first.cookie.slice(first.cookie.indexOf("=") + 1);
    const state = await openSignIn(derived.sealing, sealed, Date.now());
    const other = await sealSignIn(derived.sealing, { ...state, nonce: "x".repeat(43) }, Date.now());
    const callback = await visitProvider(first.address, CALLBACK);
    await expectRefused(await comeBack(testing, callback, `conflux_sign_in=${other}`));

    const second = await begin(testing);
    const late = await visitProvider(second.address, CALLBACK);
    await provider.expire(String(late.searchParams.get("code")));
    await expectRefused(await comeBack(testing, late, second.cookie));

    const third = await begin(testing);
    const once = await visitProvider(third.address, CALLBACK);
    expect((await comeBack(testing, once, third.cookie)).headers.get("set-cookie")).toMatch(/Max-Age=0/);
    await place.owner`delete from user_identities`;
    await expectRefused(await comeBack(testing, once, third.cookie));
  });

  const past = Math.floor(Date.now() / 1000) - 3600;
  test.each([
    ["of another issuer", { claims: { iss: "https://evil.example.com" } }, 401],
    ["for another audience", { claims: { aud: "somebody-else" } }, 401],
    ["for two audiences, authorized for another", { claims: { aud: [CLIENT_ID, "b"], azp: "b" } }, 401],
    ["that has expired", { claims: { exp: past } }, 401],
    ["with another nonce", { claims: { nonce: "x" } }, 401],
    ["without a nonce", { claims: { nonce: undefined } }, 401],
    ["without a subject", { claims: { sub: undefined } }, 401],
    ["signed by a key that is not published", { isForged: true }, 401],
    [
      "that is missing",
      { tokenAnswer: { status: 200, body: '{"access_token":"x","token_type":"Bearer"}' } },
      401,
    ],
    ["from an endpoint that answers rubbish", { tokenAnswer: { status: 200, body: "<html>" } }, 401],
    ["from an endpoint that fails", { tokenAnswer: { status: 500, body: "{}" } }, 503],
  ])("is refused: an ID token %s", async (_name, lie, status) => {
    Object.assign(liar, { claims: {}, isForged: false, tokenAnswer: null }, lie);
    const testing = admin({ issuer: liar.issuer });
    const { address, cookie } = await begin(testing);
    const { searchParams } = new URL(address);
    liar.nonce = String(searchParams.get("nonce"));
    const callback = new URL(`${CALLBACK}?code=c&state=${String(searchParams.get("state"))}`);
    await expectRefused(await comeBack(testing, callback, cookie), status);
  });

  test("the same provider when it tells the truth lets in", async () => {
    Object.assign(liar, { claims: {}, isForged: false, tokenAnswer: null });
    const testing = admin({ issuer: liar.issuer });
    const { address, cookie } = await begin(testing);
    const { searchParams } = new URL(address);
    liar.nonce = String(searchParams.get("nonce"));
    const callback = new URL(`${CALLBACK}?code=c&state=${String(searchParams.get("state"))}`);
    expect((await comeBack(testing, callback, cookie)).status).toBe(200);
  });

  test("A7 the provider away, at the start or at the end, is 503", async () => {
    const gone = await startOidcProvider(CALLBACK);
    const testing = admin({ issuer: gone.issuer });
    const { address, cookie } = await begin(testing);
    const callback = await visitProvider(address, CALLBACK);
    await gone.stop();
    await expectRefused(await comeBack(testing, callback, cookie), 503);
    const start = await admin({ issuer: gone.issuer }).send("GET", START);
    expect([start.status, start.headers.get("retry-after")]).toEqual([503, "5"]);
  });

  test("plain http is refused unless it is allowed", async () => {
    const answer = await admin({ allow_http: false }).send("GET", START);
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });
});
