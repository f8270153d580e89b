import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CHANGE_REQUEST_TTL_MS } from "../../domain/limits.ts";
import { GRANTS, newConfig, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
const REQUESTS = "/api/v1/mgt/change-requests";
const OPERATION = { type: "rollback", version_id: 1 };
type Json = Record<string, unknown>;
let admin: TestingAdmin;
let config_id: string;

for (const name of ["ada", "bob"]) GRANTS[name] = [{ action: "*", pattern: "demo/**" }];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  admin = testingAdmin();
  const created = await admin.send("POST", CONFIGS, newConfig({ release: true }));
  config_id = String((await created.json<Json>())["id"]);
});
afterEach(() => void vi.useRealTimers());

async function call(who: string, method: string, path: string, body?: unknown, headers = {}) {
  const answer = await admin.send(method, path, body, { authorization: `Bearer ${who}`, ...headers });
  const json = await answer.json<Json>();
  return { json, code: answer.ok ? "ok" : String(json["code"]) };
}
const ask = async (): Promise<Json> =>
  (await call("ada", "POST", REQUESTS, { config_id, operation: OPERATION })).json;
const expire = (): unknown => vi.setSystemTime(Date.now() + CHANGE_REQUEST_TTL_MS);
async function listed(query: string): Promise<unknown[]> {
  const ids: unknown[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const { json } = await call("bob", "GET", `${REQUESTS}?tenant=demo&limit=1&${query}${cursor}`);
    const { items, next_cursor: next } = json as { items: Json[]; next_cursor: string | null };
    ids.push(...items.map(({ id }) => id));
    cursor = next === null ? null : `&cursor=${next}`;
  }
  return ids;
}

describe("C14 a change request whose time is over", () => {
  it("C14 is listed by the status that it shows, on every page, before its record says so and after", async () => {
    const old = [await ask(), await ask()].map(({ id }) => id).toReversed();
    expect([await listed("status=open"), await listed("status=expired")]).toEqual([old, []]);
    expire();
    expect([await listed("status=open"), await listed("status=expired")]).toEqual([[], old]);
    const { id } = await ask();
    expect([await listed("status=open"), await listed("status=expired")]).toEqual([[id], old]);
    expect(await listed("status=withdrawn")).toEqual([]);
  });

  it("C14 is refused every move alike, whether somebody else has asked since or not, and says what to do", async () => {
    const request = await ask();
    const { digest } = request;
    const path = `${REQUESTS}/${String(request["id"])}`;
    const moves = async () => {
      const refused = [
        await call("ada", "PUT", path, { operation: OPERATION }),
        await call("bob", "POST", `${path}/approve`, { digest }),
        await call("bob", "POST", `${path}/reject`),
        await call("ada", "POST", `${path}/withdraw`),
        await call("ada", "POST", `${path}/execute`, { digest }),
      ];
      return refused.map(({ code, json }) => [code, json["detail"]]);
    };
    expire();
    const before = await moves();
    const wanted = ["invalid_transition", "the change request has expired: make another"];
    expect(before).toEqual(Array.from({ length: 5 }, () => wanted));
    expect(admin.core.state.json(`change-request/${String(request["id"])}`)).toMatchObject({ state: "open" });
    await ask();
    expect(admin.core.state.json(`change-request/${String(request["id"])}`)).toMatchObject({
      state: "expired",
    });
    expect(await moves()).toEqual(before);
  });

  it("C12 still repeats the answer to a move that was in time", async () => {
    const request = await ask();
    const path = `${REQUESTS}/${String(request["id"])}`;
    vi.setSystemTime(Date.now() + CHANGE_REQUEST_TTL_MS - 1000);
    const approve = () =>
      call("bob", "POST", `${path}/approve`, { digest: request["digest"] }, { "x-idempotency-key": "k" });
    expect((await approve()).code).toBe("ok");
    vi.setSystemTime(Date.now() + 2000);
    expect((await approve()).code).toBe("ok");
  });
});
