import { describe, expect, test, vi } from "vitest";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { newConfig, testingAdmin } from "./testing-admin.ts";

/** An admin whose caller `owner` may do everything and everybody else nothing; notes each question for a permission. */
function noting() {
  const asked: string[] = [];
  const admin = testingAdmin({
    authenticate: async (c, next) => {
      const name = /^Bearer (\w+)$/.exec(c.req.header("authorization") ?? "")?.[1];
      if (name === undefined) throw new ConfluxError("unauthenticated", "no token");
      c.set("principal", {
        actor: { type: "user", id: name, name },
        issuedAtMs: 0,
        ip: "",
        allows: async (action) => {
          asked.push(action);
          return name === "owner";
        },
        hasEnded: async () => {
          asked.push("has ended");
          return name === "ended";
        },
      });
      await next();
    },
  });
  return { ...admin, asked };
}

describe("A4 an id that nobody has", () => {
  test.each([
    ["GET", ""],
    ["GET", "/versions"],
    ["GET", "/diff?from=1&to=1"],
    ["DELETE", ""],
    ["POST", "/rollback"],
  ])("is asked about as often as a config that is hidden: %s %s", async (method, rest) => {
    const { send, asked } = noting();
    const made = await send("POST", "/api/v1/mgt/configs", newConfig(), { authorization: "Bearer owner" });
    const { id } = (await made.json()) as { id: string };
    const body = method === "POST" ? { version_id: 1 } : undefined;
    const questions: string[][] = [];
    for (const one of [id, "cfg-c1-999999"]) {
      asked.length = 0;
      const answer = await send(method, `/api/v1/mgt/configs/${one}${rest}`, body, {
        authorization: "Bearer stranger",
      });
      expect(answer.status).toBe(404);
      questions.push([...asked]);
    }
    expect(questions[1]).toEqual(questions[0]);
    expect(questions[0]?.length).toBeGreaterThan(0);
  });

  test("A4 is what an ended session hears nothing of, nor of one that somebody has: it has ended", async () => {
    const { send } = noting();
    const made = await send("POST", "/api/v1/mgt/configs", newConfig(), { authorization: "Bearer owner" });
    const { id } = (await made.json()) as { id: string };
    for (const one of [id, "cfg-c1-999999"]) {
      for (const [method, headers] of [
        ["GET", {}],
        ["DELETE", { "x-idempotency-key": "again" }],
      ] as const) {
        const answer = await send(method, `/api/v1/mgt/configs/${one}`, undefined, {
          ...headers,
          authorization: "Bearer ended",
        });
        expect(answer.status).toBe(401);
        expect(await answer.json()).toMatchObject({ detail: "The session has ended; sign in again." });
      }
    }
  });

  test("A4 a request of several configs, of which one is only read, tells an ended session so", async () => {
    const { core, send } = noting();
    const targets = [
      { app: "shop", env: "prod", name: "a.json", action: "unchanged" },
      { app: "shop", env: "prod", name: "b.json", action: "changed" },
    ];
    const request = { namespace: { tenant: "demo", app: "shop", env: "prod" }, name: "b.json", targets };
    vi.spyOn(core, "getChangeRequest").mockResolvedValue({ request } as never);
    const answers = ["ended", "stranger"].map((name) =>
      send("POST", "/api/v1/mgt/change-requests/chr-c1-1/reject", {}, { authorization: `Bearer ${name}` }),
    );
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([401, 404]);
  });
});
