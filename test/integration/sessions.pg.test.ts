import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectPostgres } from "../../adapters/postgres/connect.ts";
import { startSession } from "../../adapters/postgres/start-session.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { generateSigningJwk, importSigningKey, type SigningKey } from "../../adapters/tokens/sign-token.ts";
import { SESSIONS_PER_USER_MAX } from "../../contracts/limits.ts";
import { beginFamily } from "../../domain/access/session-family.ts";
import { REFRESH_REPEAT_MS, SESSION_IDLE_MS_MAX } from "../../domain/limits.ts";
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

const TOKENS = "/api/v1/auth/client-tokens";
const NEW_PASSWORD = "another, longer horse";
let place: AuthPlace;
let testing: TestingAdmin;
beforeAll(async () => {
  place = await startAuthPlace();
  testing = place.admin();
});
afterAll(() => place.stop());
beforeEach(() => {
  place.aheadS = 0;
});

const refresh = (token: unknown, at = testing): Promise<Response> =>
  at.send("POST", "/api/v1/auth/refresh", { refresh_token: token });
async function refreshed(token: unknown): Promise<string> {
  const response = await refresh(token);
  expect(response.status).toBe(200);
  return String((await json(response))["refresh_token"]);
}
const logout = (token: unknown): Promise<Response> =>
  testing.send("POST", "/api/v1/auth/logout", { refresh_token: token });
const use = async (bearer: Record<string, string>): Promise<number> =>
  (await testing.send("GET", TOKENS, undefined, bearer)).status;
const bearerOf = (body: Json) => ({ authorization: `Bearer ${String(body["access_token"])}` });
const lateS = REFRESH_REPEAT_MS / 1000 + 1;

describe("A3 refresh tokens", () => {
  test("are exchanged for another each time, and the session goes on", async () => {
    const { refreshToken } = await signIn(testing);
    const second = await refreshed(refreshToken);
    expect(second).not.toBe(refreshToken);
    place.aheadS = lateS;
    const third = await refreshed(second);
    expect(new Set([refreshToken, second, third]).size).toBe(3);
  });

  test("a client that did not get the answer asks again and goes on with the same tokens", async () => {
    const { refreshToken } = await signIn(testing);
    const lost = await refreshed(refreshToken);
    place.aheadS = lateS - 2;
    expect(await refreshed(refreshToken)).toBe(lost);
    place.aheadS = lateS;
    await refreshed(lost);
  });

  test("two at once get the same successor, on two isolates, and it is good", async () => {
    const other = connectPostgres(place.appUrl);
    const elsewhere = place.admin({ database: () => other });
    const { refreshToken } = await signIn(testing);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => refresh(refreshToken, i % 2 === 0 ? testing : elsewhere)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const successors = new Set((await Promise.all(answers.map(json))).map((body) => body["refresh_token"]));
    expect(successors.size).toBe(1);
    place.aheadS = lateS;
    await refreshed([...successors][0]);
    await other.close();
  });

  test.each([
    ["after the time to ask again", lateS, false],
    ["when its successor was exchanged", 0, true],
  ])("one that ended, used %s, ends the whole session and is audited", async (_name, afterS, isExchanged) => {
    const { refreshToken, bearer } = await signIn(testing, "reader");
    const second = await refreshed(refreshToken);
    const newest = isExchanged ? await refreshed(second) : second;
    place.aheadS = afterS;
    const stolen = await refresh(refreshToken);
    expect([stolen.status, (await json(stolen))["code"]]).toEqual([401, "unauthenticated"]);
    expect((await refresh(newest)).status).toBe(401);
    const [row] =
      await place.owner`select * from audit_logs where outcome = 'denied' order by id desc limit 1`;
    expect(row).toMatchObject({ tenant_id: "_system", actor_id: "usr_reader", resource: "sessions" });
    // Access tokens are stateless; another session of the user is none of this.
    expect(await use(bearer)).toBe(200);
    await signIn(testing, "reader");
  });

  test("go on under a new signing key while the old one counts", async () => {
    const oldJwk = await generateSigningJwk();
    const newJwk = await generateSigningJwk();
    const before = await importSigningKey(oldJwk);
    const after = await importSigningKey(newJwk, [oldJwk]);
    const at = (key: SigningKey) => place.admin({ signingKey: () => Promise.resolve(key) });
    const { refreshToken } = await signIn(at(before));
    const second = await json(await refresh(refreshToken, at(after)));
    const third = await refresh(second["refresh_token"], at(after));
    expect(third.status).toBe(200);
    const { refreshToken: lost } = await signIn(at(before));
    const successor = await json(await refresh(lost, at(before)));
    // Nobody can tell the successor again: the request is refused, and the session is not ended by it.
    expect((await refresh(lost, at(after))).status).toBe(401);
    expect((await refresh(successor["refresh_token"], at(after))).status).toBe(200);
  });

  test("are kept as digests, end when they are idle, and are swept", async () => {
    const { refreshToken } = await signIn(testing);
    const stored = JSON.stringify(await place.owner`select * from session_families`);
    const claims = JSON.parse(Buffer.from(refreshToken.split(".")[1] ?? "", "base64url").toString()) as Json;
    expect(stored).toContain(String(claims["family"]));
    expect(stored).not.toContain(String(claims["jti"]));
    place.aheadS = SESSION_IDLE_MS_MAX / 1000;
    expect((await refresh(refreshToken)).status).toBe(401);
    await signIn(testing, "stranger");
    const [row] = await place.owner`select 1 from session_families where id = ${String(claims["family"])}`;
    expect(row).toBeUndefined();
  });

  test("a user has so many sessions and no more: the longest unused makes room", async () => {
    const { refreshToken: first } = await signIn(testing, "reader");
    const { refreshToken: second } = await signIn(testing, "reader");
    await refreshed(first);
    const nowMs = Date.now() + 1000;
    await withTenant(place.database, "_system", async (tx) => {
      for (let i = 0; i < SESSIONS_PER_USER_MAX - 1; i += 1) {
        const family = beginFamily(`d${i}`, nowMs);
        await startSession(tx, { id: `ses_more_${i}`, userId: "usr_reader", family, nowMs });
      }
    });
    const [count] =
      await place.owner`select count(*)::int as n from session_families where user_id = 'usr_reader'`;
    expect(count?.["n"]).toBe(SESSIONS_PER_USER_MAX);
    expect((await refresh(second)).status).toBe(401);
    await place.owner`delete from session_families where id like 'ses_more_%'`;
  });
});

describe("A3 signing out", () => {
  test("ends the session of any of its tokens, once; other sessions go on", async () => {
    const { refreshToken } = await signIn(testing);
    const { refreshToken: other } = await signIn(testing);
    const second = await refreshed(refreshToken);
    expect(await json(await logout(refreshToken))).toEqual({ ended: 1 });
    expect(await json(await logout(refreshToken))).toEqual({ ended: 0 });
    expect((await refresh(second)).status).toBe(401);
    await refreshed(other);
    for (const bad of ["rubbish", refreshToken.slice(0, -6)]) expect((await logout(bad)).status).toBe(401);
    expect((await testing.send("POST", "/api/v1/auth/logout", {})).status).toBe(400);
  });

  test("everywhere ends all sessions and access tokens of the caller, and nobody else's", async () => {
    const mine = await signIn(testing, "reader");
    const also = await signIn(testing, "reader");
    const others = await signIn(testing, "stranger");
    place.aheadS = 1;
    const answer = await testing.send("POST", "/api/v1/auth/logout-all", undefined, mine.bearer);
    expect([answer.status, Number((await json(answer))["ended"])]).toEqual([200, expect.any(Number)]);
    for (const { bearer, refreshToken } of [mine, also]) {
      expect(await use(bearer)).toBe(401);
      expect((await refresh(refreshToken)).status).toBe(401);
    }
    expect(await use(others.bearer)).toBe(200);
    await refreshed(others.refreshToken);
    expect(await use((await signIn(testing, "reader")).bearer)).toBe(200);
  });
});

describe("A3 changing the password", () => {
  const change = (bearer: Record<string, string>, body: object, at = testing) =>
    at.send("POST", "/api/v1/auth/password", body, bearer);

  test("ends every other session, lets this one go on, and the old password is none", async () => {
    // Past what another test called in.
    place.aheadS = 5;
    const mine = await signIn(testing, "reader");
    const other = await signIn(testing, "reader");
    const answer = await change(mine.bearer, { current: PASSWORD, new: NEW_PASSWORD });
    expect(answer.status).toBe(200);
    const body = await json(answer);
    // Within the same second: tokens are told apart to the millisecond.
    expect(await use(bearerOf(body))).toBe(200);
    await refreshed(body["refresh_token"]);
    for (const { bearer, refreshToken } of [mine, other]) {
      expect(await use(bearer)).toBe(401);
      expect((await refresh(refreshToken)).status).toBe(401);
    }
    await expect(signIn(testing, "reader")).rejects.toThrow(/401/);
    const [row] =
      await place.owner`select summary from audit_logs where summary like 'changed the password%'`;
    expect(row?.["summary"]).toMatch(/; \d+ sessions ended$/);
    const back = await change(bearerOf(body), { current: NEW_PASSWORD, new: PASSWORD });
    expect(back.status).toBe(200);
  });

  test.each([
    ["a short one", { new: "eleven char" }, "/new"],
    ["a long one", { new: "x".repeat(513) }, "/new"],
    ["one that is short when composed", { new: "e\u0301".repeat(11) }, "/new"],
    ["one that is long when composed", { new: "\u0958".repeat(171) }, "/new"],
    ["the current one", { new: PASSWORD }, "/new"],
    ["an unknown field", { hint: "horse" }, "/hint"],
  ])("refuses %s and changes nothing", async (_name, body, path) => {
    const { bearer, refreshToken } = await signIn(testing);
    const answer = await change(bearer, { current: PASSWORD, new: NEW_PASSWORD, ...body });
    expect(answer.status).toBe(400);
    expect((await json(answer))["errors"]).toMatchObject([{ path }]);
    await refreshed(refreshToken);
  });

  test("a wrong current password is refused, and guessing it with a stolen token locks", async () => {
    const { bearer } = await signIn(testing, "stranger");
    const body = { current: "wrong horse", new: NEW_PASSWORD };
    for (let i = 0; i < 5; i += 1) expect((await change(bearer, body)).status).toBe(403);
    expect((await change(bearer, { ...body, current: PASSWORD })).status).toBe(429);
    await place.owner`delete from login_subjects`;
  });

  test("of two at once one wins", async () => {
    const { bearer } = await signIn(testing, "stranger");
    const answers = await Promise.all(
      ["a password of one", "a password of two"].map((wanted) =>
        change(bearer, { current: PASSWORD, new: wanted }).then(({ status }) => [status, wanted] as const),
      ),
    );
    const won = answers.filter(([status]) => status === 200);
    expect(won.length).toBe(1);
    expect([401, 403, 409]).toContain(answers.find(([status]) => status !== 200)?.[0]);
    const { body } = await testing
      .send("POST", "/api/v1/auth/login", { username: "stranger", password: won[0]?.[1] })
      .then(async (response) => ({ body: await json(response) }));
    const back = await change(bearerOf(body), { current: won[0]?.[1], new: PASSWORD });
    expect(back.status).toBe(200);
  });

  test("A7 the password function or Postgres away: 503, and nothing is changed", async () => {
    const { bearer, refreshToken } = await signIn(testing);
    const passwords = createPasswordService({ url: "http://127.0.0.1:1/", serviceKey: SERVICE_KEY });
    const body = { current: PASSWORD, new: NEW_PASSWORD };
    expect((await change(bearer, body, place.admin({ passwords }))).status).toBe(503);
    const nowhere = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    const away = place.admin({ database: () => nowhere });
    const requests = [
      ["/api/v1/auth/password", body],
      ["/api/v1/auth/refresh", { refresh_token: refreshToken }],
      ["/api/v1/auth/logout", { refresh_token: refreshToken }],
      ["/api/v1/auth/logout-all", undefined],
      ["/api/v1/auth/unlock", { username: "reader" }],
      ["/api/v1/auth/break-glass", { code: "x".repeat(43) }],
    ] as const;
    for (const [path, sent] of requests) {
      const answer = await away.send("POST", path, sent, bearer);
      expect([path, answer.status, answer.headers.get("retry-after")]).toEqual([path, 503, "1"]);
    }
    await nowhere.close();
    await refreshed(refreshToken);
  });
});

test.each(["x", "\u0000", "demo.", `demo.${"0".repeat(27)}`, "../x"])(
  "A3 the list of client tokens refuses the cursor %j",
  async (cursor) => {
    const { bearer } = await signIn(testing);
    const answer = await testing.send(
      "GET",
      `${TOKENS}?cursor=${encodeURIComponent(cursor)}`,
      undefined,
      bearer,
    );
    expect(answer.status).toBe(400);
    expect((await json(answer))["errors"]).toMatchObject([{ path: "/query/cursor" }]);
  },
);

test("A5 a client token is revoked after it has expired: one row, since the log hears nothing of it", async () => {
  const { bearer } = await signIn(testing);
  const body = { name: "old", scopes: ["read:demo/shop/**"], ttl_seconds: 60 };
  const { id } = await json(await testing.send("POST", TOKENS, body, bearer));
  place.aheadS = 61;
  for (const index of [null, null]) {
    const answer = await testing.send("DELETE", `${TOKENS}/${String(id)}`, undefined, bearer);
    expect([answer.status, (await json(answer))["index"]]).toEqual([200, index]);
  }
  const rows = await place.owner`
    select action, summary from audit_logs where resource = ${`demo/client-tokens/${String(id)}`} order by id`;
  expect(rows).toMatchObject([
    { action: "write", summary: expect.stringContaining("issued") },
    { action: "delete", summary: `revoked client token ${String(id)} (old), which had expired` },
  ]);
});
