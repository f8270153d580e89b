import { describe, expect, test } from "vitest";
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
        hasEnded: async () => false,
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
});
