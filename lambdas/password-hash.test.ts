import { describe, expect, test } from "vitest";
import { signServiceToken } from "../adapters/tokens/service-token.ts";
import {
  PASSWORD_BODY_BYTES_MAX,
  PASSWORD_BYTES_MAX,
  PASSWORD_SERVICE_AUDIENCE,
} from "../contracts/access/password-service.ts";
import { createHandler } from "./password-hash.ts";
import { decodePhc, encodePhc, verifyPassword } from "./support/argon2id.ts";
import type { FunctionUrlEvent } from "./support/function-url.ts";

const serviceKey = "a service key of at least 32 bytes!!";
const nowMs = Date.UTC(2026, 0, 1);
const handler = createHandler({ serviceKey, nowMs: () => nowMs });
const token = await signServiceToken({
  key: serviceKey,
  audience: PASSWORD_SERVICE_AUDIENCE,
  subject: "admin",
  nowMs,
});

async function post(body: unknown, changes: Partial<FunctionUrlEvent> = {}) {
  const answer = await handler({
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    isBase64Encoded: false,
    requestContext: { http: { method: "POST", path: "/", sourceIp: "127.0.0.1" } },
    ...changes,
  });
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: JSON.parse(answer.body) as Record<string, unknown>,
  };
}

describe("A1 password function", () => {
  test("what it hashed it verifies, with a salt of its own each time", async () => {
    const password = "correct horse";
    const first = String((await post({ op: "hash", password })).body["hash"]);
    const second = String((await post({ op: "hash", password })).body["hash"]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(first).not.toBe(second);
    expect((await post({ op: "verify", password, hash: first })).body).toEqual({
      valid: true,
      needs_rehash: false,
      hash: null,
    });
    expect((await post({ op: "verify", password: "wrong horse", hash: first })).body["valid"]).toBe(false);
    expect((await post({ op: "verify", password, hash: null })).body).toEqual({
      valid: false,
      needs_rehash: false,
      hash: null,
    });
  });

  test("a body in base64 is read, and a password is the same in every normal form", async () => {
    const hash = (await post({ op: "hash", password: "caf\u00E9-caf\u00E9-caf\u00E9" })).body["hash"];
    const body = Buffer.from(
      JSON.stringify({ op: "verify", password: "cafe\u0301-cafe\u0301-cafe\u0301", hash }),
    );
    expect((await post(body.toString("base64"), { isBase64Encoded: true })).body["valid"]).toBe(true);
  });

  test.each([
    ["no token", null],
    ["a token of another audience", { audience: "conflux-core" }],
    ["a token of another key", { key: `${serviceKey}!` }],
    ["an expired token", { nowMs: nowMs - 120_000 }],
  ])("%s is refused", async (_name, changes) => {
    const right = { key: serviceKey, audience: PASSWORD_SERVICE_AUDIENCE, subject: "admin", nowMs };
    const headers: Record<string, string> =
      changes === null ? {} : { authorization: `Bearer ${await signServiceToken({ ...right, ...changes })}` };
    const answer = await post({ op: "hash", password: "correct horse" }, { headers });
    expect(answer.status).toBe(401);
    expect(answer.body["code"]).toBe("unauthenticated");
  });

  test.each([
    ["no JSON", "secret-password{", 400, "malformed_request"],
    ["no op", { password: "correct horse" }, 400, "validation_failed"],
    ["an unknown field", { op: "hash", password: "correct horse", x: 1 }, 400, "validation_failed"],
    ["a short new password", { op: "hash", password: "eleven char" }, 400, "validation_failed"],
    // Six letters and six marks that compose with them.
    [
      "one that is short when composed",
      { op: "hash", password: "e\u0301".repeat(6) },
      400,
      "validation_failed",
    ],
    [
      "a long password",
      { op: "hash", password: "x".repeat(PASSWORD_BYTES_MAX + 1) },
      400,
      "validation_failed",
    ],
    ["a hash that is none", { op: "verify", password: "x", hash: "$2b$10$abc" }, 400, "validation_failed"],
    [
      "a hash that would cost a gigabyte",
      {
        op: "verify",
        password: "x",
        hash: "$argon2id$v=19$m=1048576,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
      },
      400,
      "validation_failed",
    ],
    ["a large body", " ".repeat(PASSWORD_BODY_BYTES_MAX + 1), 413, "payload_too_large"],
  ])("%s: %s", async (_name, body, status, code) => {
    const answer = await post(body, {
      headers: { authorization: `Bearer ${token}`, traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` },
    });
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ code, trace_id: "a".repeat(32) });
    expect(JSON.stringify(answer.body)).not.toContain("secret-password");
  });

  test("only POST", async () => {
    const requestContext = { http: { method: "GET", path: "/", sourceIp: "" } };
    expect((await post("", { requestContext })).status).toBe(405);
  });
});

describe("A1 PHC strings", () => {
  test("decode and encode are inverse; a hash of older parameters verifies and comes back as one of today", async () => {
    // Made with the reference implementation's parameters m=64 MiB, t=2, p=1 (RFC 9106 test of the argon2 command line).
    const text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    const phc = decodePhc(text);
    expect(phc && encodePhc(phc)).toBe(text);
    const verified = await verifyPassword("password", text);
    expect(verified).toMatchObject({ valid: true, needs_rehash: true });
    expect(await verifyPassword("password", verified.hash)).toEqual({
      valid: true,
      needs_rehash: false,
      hash: null,
    });
    expect(await verifyPassword("Password", text)).toEqual({ valid: false, needs_rehash: false, hash: null });
  });

  test.each([
    "",
    "$argon2i$v=19$m=16,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=16$m=16,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=16,t=0,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=16,t=2,p=9$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
  ])("%s is refused", (text) => expect(decodePhc(text)).toBeNull());
});
