import { describe, expect, it } from "vitest";
import { auditQuery } from "./audit-api.ts";
import { clientTokenPath, createClientTokenRequest, loginRequest } from "./auth-api.ts";

describe("A3 what no database can hold is refused before it gets there", () => {
  it.each([
    ["a username", loginRequest, { username: "admin\u0000", password: "x" }],
    [
      "a token's name",
      createClientTokenRequest,
      { name: "x\u0000y", scopes: ["read:demo/**"], ttl_seconds: 60 },
    ],
    ["a token's id", clientTokenPath, { id: "demo.\u0000" }],
    ["an audit filter", auditQuery, { user: "\u0000" }],
  ])("a NUL in %s", (_, schema, value) => {
    const parsed = schema.safeParse(value);
    expect(parsed.success).toBe(false);
    expect(parsed.error?.issues[0]?.message).toContain("control characters");
  });
});
