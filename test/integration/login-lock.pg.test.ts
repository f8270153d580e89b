import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectPostgres } from "../../adapters/postgres/connect.ts";
import { upgradePasswordHash } from "../../adapters/postgres/replace-password-hash.ts";
import { inTransaction } from "../../adapters/postgres/with-tenant.ts";
import { LOGIN_SUBJECTS_PER_SHARD_MAX } from "../../contracts/limits.ts";
import {
  LOGIN_ADDRESS_FAILURES_FREE,
  LOGIN_FAILURES_KEPT_MS,
  LOGIN_LOCK_MS_MAX,
  LOGIN_NAME_FAILURES_FREE,
} from "../../domain/limits.ts";
import { createPasswordService } from "../../workers/admin/auth-password.ts";
import type { TestingAdmin } from "../../workers/admin/testing-admin.ts";
import {
  type AuthPlace,
  json,
  PASSWORD,
  SERVICE_KEY,
  signIn,
  startAuthPlace,
} from "../testing/auth-admin.ts";

let place: AuthPlace;
beforeAll(async () => {
  place = await startAuthPlace();
});
afterAll(() => place.stop());
beforeEach(async () => {
  place.aheadS = 0;
  await place.owner`delete from login_subjects`;
  await place.owner`delete from login_addresses`;
});

const WRONG = "wrong horse";
function login(testing: TestingAdmin, username: string, password: string, ip?: string): Promise<Response> {
  const headers: Record<string, string> = ip === undefined ? {} : { "cf-connecting-ip": ip };
  return testing.send("POST", "/api/v1/auth/login", { username, password }, headers);
}
async function statuses(
  testing: TestingAdmin,
  times: number,
  username: string,
  password: string,
  ip?: string,
) {
  const found: number[] = [];
  for (let i = 0; i < times; i += 1) found.push((await login(testing, username, password, ip)).status);
  return found;
}
/** The password function, noting what it is asked. */
function countingService() {
  const service = createPasswordService({ url: place.functionsUrl, serviceKey: SERVICE_KEY });
  const asked: (string | null)[] = [];
  return {
    asked,
    passwords: {
      ...service,
      verify: (input: Parameters<typeof service.verify>[0]) => (
        asked.push(input.hash),
        service.verify(input)
      ),
    },
  };
}

describe("A3 lock-out", () => {
  test("locks a name after its free failures, on every isolate, right password or wrong, and lets go by itself", async () => {
    const testing = place.admin();
    expect(await statuses(testing, LOGIN_NAME_FAILURES_FREE, "reader", WRONG)).toEqual([
      401, 401, 401, 401, 401,
    ]);
    const other = connectPostgres(place.appUrl);
    const elsewhere = place.admin({ database: () => other });
    for (const password of [WRONG, PASSWORD]) {
      const refused = await login(elsewhere, "reader", password);
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
      expect(await json(refused)).toMatchObject({ code: "rate_limited" });
    }
    place.aheadS = 2;
    expect((await login(testing, "reader", WRONG)).status).toBe(401);
    const longer = await login(testing, "reader", PASSWORD);
    expect([longer.status, longer.headers.get("retry-after")]).toEqual([429, "2"]);
    place.aheadS = 5;
    expect((await login(testing, "reader", PASSWORD)).status).toBe(200);
    await other.close();
  });

  test("answers the same for a name that no user has", async () => {
    const testing = place.admin();
    const answersOf = async (username: string): Promise<unknown[]> => {
      const answers: unknown[] = [];
      for (let i = 0; i < LOGIN_NAME_FAILURES_FREE + 3; i += 1) {
        const response = await login(testing, username, WRONG);
        const { trace_id: _trace, ...body } = await json(response);
        answers.push([response.status, response.headers.get("retry-after"), body]);
      }
      return answers;
    };
    expect(await answersOf("nobody-of-this-name")).toEqual(await answersOf("reader"));
  });

  test.each(["reader", "nobody"])(
    "64 guesses at %s at once: no more are looked at than may fail",
    async (name) => {
      const { asked, passwords } = countingService();
      const testing = place.admin({ passwords });
      const answers = await Promise.all(Array.from({ length: 64 }, () => login(testing, name, WRONG)));
      const counts = Map.groupBy(answers, ({ status }) => status);
      expect(asked.length).toBe(LOGIN_NAME_FAILURES_FREE);
      expect(counts.get(401)?.length).toBe(LOGIN_NAME_FAILURES_FREE);
      expect(counts.get(429)?.length).toBe(64 - LOGIN_NAME_FAILURES_FREE);
    },
  );

  test("no lock is longer than the bound, attempts do not prolong it, and a quiet hour forgets all", async () => {
    const testing = place.admin();
    await login(testing, "reader", WRONG);
    await place.owner`update login_subjects set failures = 1000`;
    expect((await login(testing, "reader", WRONG)).status).toBe(401);
    const maxS = LOGIN_LOCK_MS_MAX / 1000;
    place.aheadS = maxS - 60;
    const refused = await login(testing, "reader", PASSWORD);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    place.aheadS = maxS + 1;
    expect((await login(testing, "reader", WRONG)).status).toBe(401);
    place.aheadS += LOGIN_FAILURES_KEPT_MS / 1000 + 1;
    expect(await statuses(testing, LOGIN_NAME_FAILURES_FREE, "reader", WRONG)).toEqual([
      401, 401, 401, 401, 401,
    ]);
  });

  test("locks an address, whatever the names; an IPv6 one with its network", async () => {
    const { passwords } = countingService();
    passwords.verify = () => Promise.resolve({ valid: false, rehashed: null });
    const guessing = place.admin({ passwords });
    for (let i = 0; i < LOGIN_ADDRESS_FAILURES_FREE; i += 1) {
      expect((await login(guessing, `name-${i}`, WRONG, `2001:db8::${i + 1}`)).status).toBe(401);
    }
    expect((await login(guessing, "name-x", WRONG, "2001:db8::ffff")).status).toBe(429);
    const testing = place.admin();
    expect((await login(testing, "admin", PASSWORD, "2001:db8::1:2:3")).status).toBe(429);
    expect((await login(testing, "admin", PASSWORD, "2001:db8:0:1::1")).status).toBe(200);
  });

  test("who has a password of their own cannot wipe out guesses at another's", async () => {
    const testing = place.admin();
    const ip = "198.51.100.1";
    for (let i = 0; i < LOGIN_ADDRESS_FAILURES_FREE; i += 1) {
      await login(testing, `victim-${i}`, WRONG, ip);
      if (i < LOGIN_ADDRESS_FAILURES_FREE - 1) {
        expect((await login(testing, "stranger", PASSWORD, ip)).status).toBe(200);
      }
    }
    expect((await login(testing, "stranger", PASSWORD, ip)).status).toBe(429);
  });

  test("guesses from elsewhere do not lock a user out where they have signed in before", async () => {
    const testing = place.admin();
    const [home, away] = ["192.0.2.1", "203.0.113.9"];
    expect((await login(testing, "reader", PASSWORD, home)).status).toBe(200);
    await statuses(testing, LOGIN_NAME_FAILURES_FREE + 1, "reader", WRONG, away);
    expect((await login(testing, "reader", PASSWORD, away)).status).toBe(429);
    expect((await login(testing, "reader", PASSWORD, home)).status).toBe(200);
    // There, too, guesses lock.
    await statuses(testing, LOGIN_NAME_FAILURES_FREE, "reader", WRONG, home);
    expect((await login(testing, "reader", PASSWORD, home)).status).toBe(429);
  });

  test("A7 what could not be checked is not counted: the password function away is 503, ever again", async () => {
    const passwords = createPasswordService({ url: "http://127.0.0.1:1/", serviceKey: SERVICE_KEY });
    const testing = place.admin({ passwords });
    const times = LOGIN_NAME_FAILURES_FREE + 2;
    expect(await statuses(testing, times, "reader", PASSWORD)).toEqual(Array(times).fill(503));
    expect((await login(place.admin(), "reader", PASSWORD)).status).toBe(200);
  });

  test("is lifted by an operator, or by who may write in a tenant of the user's", async () => {
    const testing = place.admin();
    const { bearer: operator } = await signIn(testing);
    const { bearer: stranger } = await signIn(testing, "stranger");
    const unlock = (body: object, bearer: Record<string, string>) =>
      testing.send("POST", "/api/v1/auth/unlock", body, bearer);
    const lock = () => statuses(testing, LOGIN_NAME_FAILURES_FREE, "reader", WRONG);
    for (const body of [{ username: "reader" }, { username: "reader", tenant: "demo" }]) {
      await lock();
      expect((await login(testing, "reader", PASSWORD)).status).toBe(429);
      expect((await unlock(body, stranger)).status).toBe(403);
      expect((await unlock({ username: "reader", tenant: "other" }, stranger)).status).toBe(404);
      expect((await unlock({ username: "nobody", tenant: "other" }, stranger)).status).toBe(404);
      expect(await json(await unlock(body, operator))).toEqual({ unlocked: true });
      expect(await json(await unlock(body, operator))).toEqual({ unlocked: false });
      expect((await login(testing, "reader", PASSWORD)).status).toBe(200);
    }
    const rows = await place.owner`select summary from audit_logs where summary like 'unlocked%'`;
    expect(rows.length).toBe(4);
  });

  test("is not lifted by a tenant that took the user in, nor by one of the user's, but by an operator", async () => {
    const testing = place.admin();
    const { bearer: operator } = await signIn(testing);
    const { bearer: stranger } = await signIn(testing, "stranger");
    const unlock = (body: object, bearer: Record<string, string>) =>
      testing.send("POST", "/api/v1/auth/unlock", body, bearer);
    const [role] = await place.owner`select id from roles where tenant_id = 'other'`;
    const take = (id: string) => place.owner`
      insert into user_roles (tenant_id, user_id, role_id) select 'other', id, ${String(role?.["id"])}
      from users where username = ${id}`;
    await take("reader");
    await take("admin");
    await statuses(testing, LOGIN_NAME_FAILURES_FREE, "reader", WRONG);
    for (const [body, bearer] of [
      [{ username: "reader", tenant: "other" }, stranger],
      [{ username: "reader", tenant: "demo" }, operator],
      // An operator, who has to do with it too.
      [{ username: "admin", tenant: "other" }, stranger],
    ] as const) {
      const refused = await unlock(body, bearer);
      expect([refused.status, (await json(refused))["code"]]).toEqual([403, "forbidden"]);
    }
    expect((await login(testing, "reader", PASSWORD)).status).toBe(429);
    await place.owner`delete from user_roles where tenant_id = 'other' and user_id = 'usr_reader'`;
    expect((await unlock({ username: "reader", tenant: "other" }, stranger)).status).toBe(404);
    await take("reader");
    expect(await json(await unlock({ username: "reader" }, operator))).toEqual({ unlocked: true });
    await place.owner`delete from user_roles where tenant_id = 'other' and user_id in (
      select id from users where username in ('reader', 'admin'))`;
    // Of one tenant alone again, and yet an operator.
    expect((await unlock({ username: "admin", tenant: "demo" }, operator)).status).toBe(403);
  });

  test("keeps neither names nor addresses, and no more rows than its bound", async () => {
    const testing = place.admin();
    await login(testing, "hunter2-typed-into-the-name", WRONG, "192.0.2.55");
    const rows = await place.owner`select * from login_subjects`;
    expect(JSON.stringify(rows)).not.toMatch(/hunter2|192\.0\.2/);
    const [{ shard } = { shard: 0 }] = rows;
    await place.owner`
      insert into login_subjects (tenant_id, subject, shard, failures, last_at)
      select '_system', 'filler-' || n, ${shard}, 1, now() - n * interval '1 second'
      from generate_series(1, ${LOGIN_SUBJECTS_PER_SHARD_MAX + 5}) n`;
    await place.owner`delete from login_subjects where subject = ${String(rows[0]?.["subject"])}`;
    await login(testing, "hunter2-typed-into-the-name", WRONG, "192.0.2.55");
    const [count] = await place.owner`select count(*)::int as n from login_subjects where shard = ${shard}`;
    expect(count?.["n"]).toBeLessThanOrEqual(LOGIN_SUBJECTS_PER_SHARD_MAX);
    const [oldest] = await place.owner`
      select 1 from login_subjects where subject = ${`filler-${LOGIN_SUBJECTS_PER_SHARD_MAX + 5}`}`;
    expect(oldest).toBeUndefined();
  });
});

describe("A1 parameters of a hash", () => {
  // The reference implementation's own example: m=64 MiB, t=2, p=1.
  const OLD = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

  test("older ones are replaced with the next sign-in, and nothing else of the user is", async () => {
    await place.owner`insert into users (id, username, password_hash) values ('usr_old', 'old', ${OLD})`;
    const read = () => place.owner`select * from users where id = 'usr_old'`;
    const [before] = await read();
    const testing = place.admin();
    expect((await login(testing, "old", "Password")).status).toBe(401);
    expect((await read())[0]?.["password_hash"]).toBe(OLD);
    expect((await login(testing, "old", "password")).status).toBe(200);
    const [after] = await read();
    expect(after?.["password_hash"]).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect({ ...after, password_hash: "" }).toEqual({ ...before, password_hash: "" });
    expect((await login(testing, "old", "password")).status).toBe(200);
    expect((await read())[0]?.["password_hash"]).toBe(after?.["password_hash"]);
  });

  test("a hash is replaced only by who knows it, and only by an argon2id hash", async () => {
    const upgrade = (old: string, hash: string) =>
      inTransaction(place.database, (tx) => upgradePasswordHash(tx, { userId: "usr_reader", old, hash }));
    expect(await upgrade(OLD, OLD)).toBe(false);
    const [row] = await place.owner`select password_hash from users where id = 'usr_reader'`;
    await expect(upgrade(String(row?.["password_hash"]), "$2b$10$abc")).rejects.toThrow(/check constraint/);
  });
});
