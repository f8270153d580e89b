import { describe, expect, it } from "vitest";
import type { Config } from "../config/config.ts";
import { CONTENT_BYTES_MAX, IDEMPOTENCY_TTL_MS } from "../limits.ts";
import { type Applied, applyCommand } from "./apply-command.ts";
import { checkInvariants } from "./check-invariants.ts";
import type { Command } from "./command.ts";
import { keepResult } from "./idempotency.ts";
import { MemoryState } from "./memory-state.ts";
import { stateKey } from "./state-view.ts";
import { testCommand, testConfigPayload, testRule } from "./testing-commands.ts";

const hash = (digit: string): string => digit.repeat(64);
const bytes = (n: number): Uint8Array => new Uint8Array(n);

/** A log of one node: applies commands one after another and checks the invariants after each. */
class Log {
  readonly state = new MemoryState();
  index = 0;
  feedIndex = 0;
  nowMs = 1000;

  apply(command: Command, attachments: Uint8Array[] = [bytes(3)]): Applied {
    this.index += 1;
    const applied = applyCommand({
      state: this.state,
      command,
      attachments,
      index: this.index,
      prevFeedIndex: this.feedIndex,
      timestampMs: this.nowMs,
      clusterId: "c1",
      epoch: 1,
    });
    this.state.apply(applied.changes);
    this.feedIndex = applied.feedEntry?.index ?? this.feedIndex;
    expect(checkInvariants(this.state)).toEqual([]);
    return applied;
  }
  config(id: string): Config | undefined {
    return this.state.json(stateKey.config(id)) as Config | undefined;
  }
}
const create = (name: string, sha = hash("a"), more: Parameters<typeof testConfigPayload>[2] = {}): Command =>
  testCommand("create_config", testConfigPayload(name, sha, more));
const version = (id: string, sha: string): Command =>
  testCommand("create_version", {
    config_id: id,
    content: { attachment: 0, sha256: sha },
    format: null,
    schema: null,
    description: "",
  });

describe("commands that are refused write nothing", () => {
  const id = "cfg-c1-1";
  it.each<[string, Command, string, string | undefined, Uint8Array[]?]>([
    ["C1 a name with ..", create("a..b"), "validation_failed", "/name"],
    [
      "C1 a tenant other than the command's",
      testCommand("create_config", testConfigPayload("x", hash("a")), { tenant: "other" }),
      "validation_failed",
      "/tenant",
    ],
    ["C1 a taken name", create("one"), "already_exists", undefined],
    [
      "C1 content over its limit",
      create("big"),
      "payload_too_large",
      undefined,
      [bytes(CONTENT_BYTES_MAX + 1)],
    ],
    ["C1 an attachment that is not there", create("none"), "validation_failed", "/content", []],
    [
      "C1 a description over its limit",
      create("x", hash("a"), { description: "é".repeat(513) }),
      "validation_failed",
      "/description",
    ],
    [
      "C3 a schema over its limit",
      create("x", hash("a"), { schema: "x".repeat(1024 * 1024 + 1) }),
      "validation_failed",
      "/schema",
    ],
    [
      "C4 a first rule for version 2",
      create("x", hash("a"), { releases: [testRule(2)] }),
      "validation_failed",
      "/releases/0/version_id",
    ],
    ["C2 a version of no config", version("cfg-c1-99", hash("b")), "not_found", undefined],
    [
      "C6 rollback to a version that never was",
      testCommand("rollback", { config_id: id, version_id: 7 }),
      "validation_failed",
      "/version_id",
    ],
    [
      "C4 a PUT's rule for version 2",
      testCommand("put_releases", { config_id: id, releases: [testRule(2)] }),
      "validation_failed",
      "/0/version_id",
    ],
    [
      "C12 a stale revision",
      testCommand("delete_config", { config_id: id }, { expected_revision: 7 }),
      "precondition_failed",
      undefined,
    ],
    [
      "another tenant's delete",
      testCommand("delete_config", { config_id: id }, { tenant: "other" }),
      "not_found",
      undefined,
    ],
    [
      "a revocation of nothing",
      testCommand("revoke_token", { jti: "", expires_at_ms: 1 }),
      "validation_failed",
      "/jti",
    ],
  ])("%s", (_name, command, code, path, attachments) => {
    const log = new Log();
    log.apply(create("one"));
    const refused = log.apply(command, attachments);
    expect(refused).toMatchObject({ changes: [], feedEntry: null, outcome: { ok: false, code } });
    if (path !== undefined) expect(refused.outcome).toMatchObject({ errors: [{ path }] });
  });
});

describe("C2 versions and their bytes", () => {
  it("are numbered from 1, carry their circumstances, and share equal bytes", () => {
    const log = new Log();
    log.apply(create("one"));
    log.nowMs = 2000;
    const again = log.apply(version("cfg-c1-1", hash("a")));
    expect(again.outcome).toMatchObject({
      ok: true,
      result: { version: { version_id: 2, sha256: hash("a"), creator: "ada", created_at_ms: 2000 } },
    });
    expect(again.changes.some((c) => c.op === "put_bytes")).toBe(false);
    expect(log.state.json(stateKey.blobRefs("demo", hash("a")))).toBe(2);
    expect(log.config("cfg-c1-1")).toMatchObject({ latest_version_id: 2, revision: 2, updated_at_ms: 2000 });
  });

  it("C10 go with their config, but not the bytes that another one shares", () => {
    const log = new Log();
    log.apply(create("one"));
    log.apply(create("two"));
    log.apply(version("cfg-c1-1", hash("b")));
    const gone = log.apply(testCommand("delete_config", { config_id: "cfg-c1-1" }));
    expect(gone.feedEntry).toMatchObject({
      prev_index: 3,
      events: [{ type: "config_deleted", name: "one" }],
    });
    expect(log.state.hasKey(stateKey.blob("demo", hash("a")))).toBe(true);
    expect(log.state.hasKey(stateKey.blob("demo", hash("b")))).toBe(false);
    expect([...log.state.scan("v/cfg-c1-1/", { limit: 9 })]).toEqual([]);
  });

  it("are announced to the edge only as far as rules name them", () => {
    const log = new Log();
    log.apply(create("one", hash("a"), { releases: [testRule(1)] }));
    const { feedEntry } = log.apply(version("cfg-c1-1", hash("b")));
    expect(feedEntry?.events).toMatchObject([{ latest_version_id: 2, variants: [{ version_id: 1 }] }]);
  });
});

describe("C6 rollback", () => {
  it.each([
    [
      "moves the default rule and no other",
      [testRule(2, { a: "1" }, 9), testRule(2)],
      [testRule(2, { a: "1" }, 9), testRule(1)],
    ],
    [
      "of two defaults moves the lowest",
      [testRule(2, {}, 5), testRule(2, {}, 1)],
      [testRule(2, {}, 5), testRule(1, {}, 1)],
    ],
    [
      "a region's rule is not the default",
      [testRule(2, {}, 0, ["r"])],
      [testRule(2, {}, 0, ["r"]), testRule(1)],
    ],
    ["makes a default where there is none", [], [testRule(1)]],
    [
      "a new default shadows no rule of negative priority",
      [testRule(2, { a: "1" }, -3)],
      [testRule(2, { a: "1" }, -3), testRule(1, {}, -3)],
    ],
  ])("%s", (_name, before, after) => {
    const log = new Log();
    log.apply(create("one"));
    log.apply(version("cfg-c1-1", hash("b")));
    log.apply(testCommand("put_releases", { config_id: "cfg-c1-1", releases: before }));
    log.apply(testCommand("rollback", { config_id: "cfg-c1-1", version_id: 1 }));
    expect(log.config("cfg-c1-1")?.releases).toEqual(after);
  });
});

describe("C12 idempotency", () => {
  const key = { scope: "s1", digest: "d1" };
  const keyed = (name: string, idempotency = key): Command => ({ ...create(name), idempotency });

  it("answers the first result again, without a second feed entry", () => {
    const log = new Log();
    const first = log.apply(keyed("one"));
    const again = log.apply(keyed("one"));
    expect(again).toMatchObject({ changes: [], feedEntry: null, outcome: { replayed: true, index: 1 } });
    expect(again.outcome.ok && again.outcome.result).toEqual(first.outcome.ok && first.outcome.result);
  });

  it("refuses another body under the same key, also of another kind", () => {
    const log = new Log();
    log.apply(keyed("one"));
    const other = log.apply(keyed("two", { scope: "s1", digest: "d2" }));
    expect(other.outcome).toMatchObject({ code: "idempotency_conflict" });
    const kind = log.apply({ ...testCommand("delete_config", { config_id: "cfg-c1-1" }), idempotency: key });
    expect(kind.outcome).toMatchObject({ code: "idempotency_conflict" });
  });

  it("does not remember a refusal", () => {
    const log = new Log();
    log.apply(create("one"));
    expect(log.apply(keyed("one")).outcome).toMatchObject({ code: "already_exists" });
    log.apply(testCommand("delete_config", { config_id: "cfg-c1-1" }));
    expect(log.apply(keyed("one")).outcome).toMatchObject({ ok: true, replayed: false });
  });

  it("is kept apart by tenant", () => {
    const log = new Log();
    log.apply(keyed("one"));
    const namespace = { tenant: "other", app: "a", env: "e" };
    const payload = testConfigPayload("one", hash("a"), { namespace });
    const other = log.apply(testCommand("create_config", payload, { tenant: "other", idempotency: key }));
    expect(other.outcome).toMatchObject({ ok: true, replayed: false });
  });

  it("forgets after a day, and later commands clear away what has expired", () => {
    const log = new Log();
    log.apply(keyed("one"));
    log.nowMs += IDEMPOTENCY_TTL_MS;
    expect(log.apply(keyed("one")).outcome).toMatchObject({ code: "already_exists" });
    log.apply(create("two"));
    expect(log.state.json(stateKey.idempotencyCount("demo"))).toEqual({ count: 0, chars: 0 });
    expect([...log.state.scan("i/", { limit: 9 })]).toEqual([]);
  });

  it("keeps at most so many results, and so many characters, of a tenant: the oldest go", () => {
    const state = new MemoryState();
    const keep = (
      scope: string,
      limits: { resultsMax: number; charsMax: number },
      timestampMs: number,
    ): void => {
      const command = { ...create("x"), idempotency: { scope, digest: "d" } };
      const result = { config_id: "c" };
      state.apply(keepResult({ state, command, index: timestampMs, timestampMs, result, limits }));
      expect(checkInvariants(state)).toEqual([]);
    };
    for (let i = 1; i <= 5; i += 1) keep(`s${i}`, { resultsMax: 3, charsMax: 1e6 }, i);
    const scopes = (): string[] => [...state.scan("i/", { limit: 99 })].map(({ key: k }) => k.slice(7));
    expect(scopes()).toEqual(["s3", "s4", "s5"]);
    keep("s6", { resultsMax: 3, charsMax: 10 }, 6);
    expect(scopes()).toEqual(["s6"]);
  });
});

describe("A3 revocations", () => {
  it("keep the later expiry and are cleared away once the token is dead", () => {
    const log = new Log();
    log.apply(testCommand("revoke_token", { jti: "j1", expires_at_ms: 5000 }));
    log.apply(testCommand("revoke_token", { jti: "j1", expires_at_ms: 4000 }));
    expect(log.state.json(stateKey.revocation("j1"))).toMatchObject({ expires_at_ms: 5000 });
    expect([...log.state.scan("u/", { limit: 9 })]).toHaveLength(1);
    log.nowMs = 6000;
    log.apply(testCommand("revoke_token", { jti: "j2", expires_at_ms: 9000 }));
    expect([...log.state.scan("t/", { limit: 9 })].map(({ key }) => key)).toEqual(["t/j2"]);
  });
});
