import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectPostgres } from "../../adapters/postgres/connect.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { signAccessToken } from "../../adapters/tokens/sign-token.ts";
import { createPasswordService } from "../../workers/admin/auth-password.ts";
import type { TestingAdmin } from "../../workers/admin/testing-admin.ts";
import {
  type AuthPlace,
  type Json,
  json,
  PASSWORD,
  SERVICE_KEY,
  signIn,
  startAuthPlace,
} from "../testing/auth-admin.ts";

const NEW_PASSWORD = "another, longer horse";
/** Of an isolate whose clock was read before everything that the others do here. */
const BEHIND_MS = 10_000;
let place: AuthPlace;
let testing: TestingAdmin;
let behind: TestingAdmin;
beforeAll(async () => {
  place = await startAuthPlace();
  testing = place.admin();
  behind = place.admin({ nowMs: () => Date.now() - BEHIND_MS });
});
afterAll(() => place.stop());
beforeEach(async () => {
  await place.owner`delete from login_subjects`;
  await place.owner`delete from session_families`;
  await place.owner`update users set is_active = true, tokens_not_before = 'epoch',
    password_hash = (select password_hash from users where username = 'admin') where username = 'reader'`;
});

const bearerOf = (body: Json) => ({ authorization: `Bearer ${String(body["access_token"])}` });
const use = async (bearer: Record<string, string>): Promise<number> =>
  (await testing.send("GET", "/api/v1/auth/client-tokens", undefined, bearer)).status;
const refresh = async (token: unknown): Promise<number> =>
  (await testing.send("POST", "/api/v1/auth/refresh", { refresh_token: token })).status;
const families = async (): Promise<unknown> =>
  (await place.owner`select count(*)::int as n from session_families where user_id = 'usr_reader'`)[0]?.["n"];
const login = (at: TestingAdmin, password: string): Promise<Response> =>
  at.send("POST", "/api/v1/auth/login", { username: "reader", password });

/** An isolate that does something between judging a password and letting its user in. */
function interrupted(meanwhile: () => Promise<unknown>): TestingAdmin {
  const service = createPasswordService({ url: place.functionsUrl, serviceKey: SERVICE_KEY });
  let isFirst = true;
  return place.admin({
    passwords: {
      ...service,
      verify: async (input) => {
        const judged = await service.verify(input);
        if (isFirst) {
          isFirst = false;
          await meanwhile();
        }
        return judged;
      },
    },
  });
}

describe("A3 a sign-in under way", () => {
  test("with the old password gets no session when the password is changed meanwhile", async () => {
    const { bearer } = await signIn(testing, "reader");
    const slow = interrupted(async () => {
      const body = { current: PASSWORD, new: NEW_PASSWORD };
      const changed = await testing.send("POST", "/api/v1/auth/password", body, bearer);
      expect(changed.status).toBe(200);
    });
    const answer = await login(slow, PASSWORD);
    expect([answer.status, (await json(answer))["code"]]).toEqual([401, "unauthenticated"]);
    // That of the one who changed it.
    expect(await families()).toBe(1);
    expect((await login(testing, NEW_PASSWORD)).status).toBe(200);
  });

  test("gets no session when the user is deactivated meanwhile", async () => {
    const slow = interrupted(() => place.owner`update users set is_active = false where username = 'reader'`);
    expect((await login(slow, PASSWORD)).status).toBe(401);
    expect(await families()).toBe(0);
  });

  test("gets one when its hash is made anew beside it, and counts as one attempt", async () => {
    // The reference implementation's own example, of other parameters than ours.
    const old = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    await place.owner`update users set password_hash = ${old} where username = 'reader'`;
    const slow = interrupted(async () => {
      expect((await login(testing, "password")).status).toBe(200);
    });
    const body = await json(await login(slow, "password"));
    expect(await use(bearerOf(body))).toBe(200);
    expect(await families()).toBe(2);
    expect(await place.owner`select 1 from login_subjects`).toHaveLength(0);
    await place.owner`update users set password_hash = ${old} where username = 'reader'`;
    const answers = await Promise.all([1, 2, 3].map(() => login(place.admin(), "password")));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test("that let its user in before the password changes ends with the change", async () => {
    const mine = await signIn(testing, "reader");
    const [first, second] = await Promise.all([
      login(testing, PASSWORD),
      testing.send("POST", "/api/v1/auth/password", { current: PASSWORD, new: NEW_PASSWORD }, mine.bearer),
    ]);
    expect(second.status).toBe(200);
    expect(await families()).toBe(1);
    expect(await use(bearerOf(await json(second)))).toBe(200);
    if (first.status === 200) expect(await use(bearerOf(await json(first)))).toBe(401);
  });
});

describe("A3 what ends all sessions ends what was issued until then, by whichever clock", () => {
  test("signing out everywhere", async () => {
    const mine = await signIn(testing, "reader");
    const thief = await signIn(testing, "reader");
    const answer = await behind.send("POST", "/api/v1/auth/logout-all", undefined, mine.bearer);
    expect(await json(answer)).toEqual({ ended: 2 });
    for (const { bearer, refreshToken } of [mine, thief]) {
      expect(await use(bearer)).toBe(401);
      expect(await refresh(refreshToken)).toBe(401);
    }
    expect(await use((await signIn(testing, "reader")).bearer)).toBe(200);
  });

  test("and what begins or goes on afterwards is good, also by a clock behind the one that ended them", async () => {
    const mine = await signIn(testing, "reader");
    const ended = await testing.send("POST", "/api/v1/auth/logout-all", undefined, mine.bearer);
    expect(ended.status).toBe(200);
    const begun = await json(await login(behind, PASSWORD));
    expect(await use(bearerOf(begun))).toBe(200);
    const body = { refresh_token: begun["refresh_token"] };
    const next = await json(await behind.send("POST", "/api/v1/auth/refresh", body));
    expect(await use(bearerOf(next))).toBe(200);
    expect(await refresh(next["refresh_token"])).toBe(200);
  });

  test("changing the password, and the tokens that it answers are good", async () => {
    const mine = await signIn(testing, "reader");
    const thief = await signIn(testing, "reader");
    const change = { current: PASSWORD, new: NEW_PASSWORD };
    const answer = await behind.send("POST", "/api/v1/auth/password", change, mine.bearer);
    expect(answer.status).toBe(200);
    const body = await json(answer);
    for (const { bearer, refreshToken } of [mine, thief]) {
      expect(await use(bearer)).toBe(401);
      expect(await refresh(refreshToken)).toBe(401);
    }
    expect(await use(bearerOf(body))).toBe(200);
    expect(await refresh(body["refresh_token"])).toBe(200);
  });

  test("a refresh that holds its session while its user signs out is waited for, and its tokens end", async () => {
    const { bearer } = await signIn(testing, "reader");
    const other = connectPostgres(place.appUrl);
    const { signedOut, nowMs } = await withTenant(other, "_system", async (tx) => {
      await tx.execute(sql`select 1 from session_families where user_id = 'usr_reader' for update`);
      const asked = testing.send("POST", "/api/v1/auth/logout-all", undefined, bearer);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { signedOut: asked, nowMs: Date.now() };
    });
    expect((await signedOut).status).toBe(200);
    const user = { userId: "usr_reader", username: "reader", jti: "x" };
    const { token } = await signAccessToken(place.key, { ...user, nowMs });
    expect(await use({ authorization: `Bearer ${token}` })).toBe(401);
    expect(await families()).toBe(0);
    await other.close();
  });
});

describe("A3 the status of the cluster", () => {
  const status = async (at: TestingAdmin, bearer: Record<string, string>): Promise<number> =>
    (await at.send("GET", "/api/v1/mgt/cluster/status", undefined, bearer)).status;

  test("is not for tokens that were called in, nor for a user who is not active", async () => {
    const { bearer } = await signIn(testing, "reader");
    expect(await status(testing, bearer)).toBe(200);
    await place.owner`update users set is_active = false where username = 'reader'`;
    expect(await status(testing, bearer)).toBe(401);
    await place.owner`update users set is_active = true where username = 'reader'`;
    await testing.send("POST", "/api/v1/auth/logout-all", undefined, bearer);
    expect(await status(testing, bearer)).toBe(401);
  });

  test("A7 is answered while nobody can tell", async () => {
    const { bearer } = await signIn(testing, "reader");
    await testing.send("POST", "/api/v1/auth/logout-all", undefined, bearer);
    const nowhere = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    expect(await status(place.admin({ database: () => nowhere }), bearer)).toBe(200);
    await nowhere.close();
  });
});
