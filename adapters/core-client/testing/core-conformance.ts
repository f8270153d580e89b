import { describe, expect, it } from "vitest";
import type { ProposeAnswer } from "../../../contracts/core/core-api.ts";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import { ConfluxError, type ErrorCode } from "../../../contracts/problem/error-codes.ts";
import type { CommandOf } from "../../../domain/command/command.ts";
import { testCommand, testConfigPayload, testRule } from "../../../domain/command/testing-commands.ts";

/** What every `CorePort` promises. `core` answers the one under test; tests share it, so each has names of its own. */
export function coreConformance(core: () => CorePort): void {
  describeWrites(core);
  describeRefusals(core);
  describeReads(core);
  describeFeed(core);
  describeSnapshot(core);
  describeEdgeConfig(core);
  describeAuditAnchors(core);
}

function describeAuditAnchors(core: () => CorePort): void {
  it("A5 anchors the audit of a tenant forward only, and tells the feed nothing of it", async () => {
    const tenant = `t${(serial += 1)}`;
    const anchor = (seq: number, digit: string) =>
      core().propose<"anchor_audit">({
        command: testCommand("anchor_audit", { seq, hash: digit.repeat(64) }, { tenant }),
        attachments: [],
      });
    expect((await core().getAuditAnchors(tenant)).anchors).toEqual([]);
    const first = await anchor(3, "a");
    await anchor(5, "b");
    expect(await codeOf(anchor(5, "b"))).toBe("accepted");
    expect(await codeOf(anchor(5, "c"))).toBe("conflict");
    expect(await codeOf(anchor(4, "b"))).toBe("conflict");
    const { anchors } = await core().getAuditAnchors(tenant);
    expect(anchors.map(({ seq, hash }) => [seq, hash.slice(0, 1)])).toEqual([
      [3, "a"],
      [5, "b"],
    ]);
    expect(anchors[0]).toMatchObject({ index: first.index, timestamp_ms: first.timestamp_ms });
    const page = await core().feed({ after: first.index - 1, limit: 100, wait_ms: 0, view: "full" });
    expect(page.entries.filter((entry) => entry.tenant === tenant)).toEqual([]);
    const edge = await core().edgeFeed({ after: first.index - 1, limit: 100, wait_ms: 0 });
    expect(edge.entries.filter((entry) => entry.tenant === tenant)).toEqual([]);
  });
}

let serial = 0;
export const unique = (): string => `cfg.${(serial += 1)}.json`;

export async function sha256Of(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))).toString("hex");
}
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Creates a config and answers what the core did. */
export async function createIn(
  core: CorePort,
  name: string,
  text: string,
  more: Parameters<typeof testConfigPayload>[2] = {},
  head: Partial<Omit<CommandOf<"create_config">, "kind" | "payload">> = {},
): Promise<ProposeAnswer<"create_config">> {
  const bytes = utf8(text);
  const payload = testConfigPayload(name, await sha256Of(bytes), more);
  return core.propose({ command: testCommand("create_config", payload, head), attachments: [bytes] });
}

async function addVersion(
  core: CorePort,
  configId: string,
  text: string,
): Promise<ProposeAnswer<"create_version">> {
  const bytes = utf8(text);
  return core.propose({
    command: testCommand("create_version", {
      config_id: configId,
      content: { attachment: 0, sha256: await sha256Of(bytes) },
      format: null,
      schema: null,
      description: "next",
    }),
    attachments: [bytes],
  });
}

/** The code that `action` is refused with. */
export async function codeOf(action: Promise<unknown>): Promise<ErrorCode | "accepted"> {
  try {
    await action;
    return "accepted";
  } catch (error) {
    if (error instanceof ConfluxError) return error.code;
    throw error;
  }
}

function describeWrites(core: () => CorePort): void {
  describe("writes", () => {
    it("C1 C2 creates a config, adds versions, and answers their bytes", async () => {
      const made = await createIn(core(), unique(), `{"a":1}`, { releases: [testRule(1)] });
      expect(made.replayed).toBe(false);
      expect(made.result.config.id).toBe(`cfg-${made.cluster_id}-${made.index}`);
      const added = await addVersion(core(), made.result.config.id, `{"a":2}`);
      expect(added.result.version.version_id).toBe(2);
      expect(added.index).toBeGreaterThan(made.index);
      const bytes = await core().getBlob({ tenant: "demo", sha256: added.result.version.sha256 });
      expect(new TextDecoder().decode(bytes)).toBe(`{"a":2}`);
    });

    it("C4 C6 replaces rules, rolls back, and shows them in a read that follows", async () => {
      const { result } = await createIn(core(), unique(), "{}", { releases: [testRule(1)] });
      const id = result.config.id;
      await addVersion(core(), id, "[]");
      const rules = [testRule(2, { Canary: "true" }, 10), testRule(2)];
      const put = await core().propose({
        command: testCommand("put_releases", { config_id: id, releases: rules }),
        attachments: [],
      });
      expect(put.result.config.releases[0]?.labels).toEqual({ canary: "true" });
      const back = await core().propose({
        command: testCommand("rollback", { config_id: id, version_id: 1 }),
        attachments: [],
      });
      const { config } = await core().getConfig(id);
      expect(config.releases.map((r) => r.version_id)).toEqual([2, 1]);
      expect(config.revision).toBe(back.index);
    });

    it("C12 the same key and body answers the first result; another body is a conflict", async () => {
      const name = unique();
      const idempotency = { scope: `s-${name}`, digest: "d1" };
      const first = await createIn(core(), name, "{}", {}, { idempotency });
      const again = await createIn(core(), name, "{}", {}, { idempotency });
      expect(again).toMatchObject({ index: first.index, replayed: true, result: first.result });
      const other = createIn(core(), name, "{}", {}, { idempotency: { ...idempotency, digest: "d2" } });
      expect(await codeOf(other)).toBe("idempotency_conflict");
    });

    it("C10 deletes a config: its reads answer not_found and its name is free", async () => {
      const name = unique();
      const { result } = await createIn(core(), name, `{"only":"${name}"}`);
      const id = result.config.id;
      expect(await codeOf(core().getDeletedConfig(id))).toBe("not_found");
      await core().propose({ command: testCommand("delete_config", { config_id: id }), attachments: [] });
      expect(await codeOf(core().getConfig(id))).toBe("not_found");
      const { deleted } = await core().getDeletedConfig(id);
      expect(deleted).toEqual({ id, namespace: { tenant: "demo", app: "shop", env: "prod" }, name });
      expect(await codeOf(core().getConfigByName(`demo/shop/prod/${name}`))).toBe("not_found");
      expect(await codeOf(core().getVersion({ config_id: id, version_id: 1 }))).toBe("not_found");
      expect(await codeOf(core().getBlob({ tenant: "demo", sha256: result.version.sha256 }))).toBe(
        "not_found",
      );
      expect(await codeOf(createIn(core(), name, "{}"))).toBe("accepted");
    });
  });
}

function describeRefusals(core: () => CorePort): void {
  describe("refusals change nothing", () => {
    it("C1 a taken name, C4 a missing version with its path, C12 a stale revision", async () => {
      const name = unique();
      const { result, index } = await createIn(core(), name, "{}");
      const id = result.config.id;
      expect(await codeOf(createIn(core(), name, "{}"))).toBe("already_exists");
      const put = core().propose({
        command: testCommand("put_releases", { config_id: id, releases: [testRule(1), testRule(9)] }),
        attachments: [],
      });
      await expect(put).rejects.toMatchObject({
        code: "validation_failed",
        errors: [{ path: "/1/version_id" }, { path: "/1" }],
      });
      const stale = core().propose({
        command: testCommand("rollback", { config_id: id, version_id: 1 }, { expected_revision: index - 1 }),
        attachments: [],
      });
      expect(await codeOf(stale)).toBe("precondition_failed");
      expect((await core().getConfig(id)).config).toMatchObject({ revision: index, releases: [] });
    });

    it("an attachment with another hash, or a command of no known kind, never enters the log", async () => {
      const payload = testConfigPayload(unique(), "0".repeat(64));
      const before = (await core().status()).index;
      const lying = core().propose({
        command: testCommand("create_config", payload),
        attachments: [utf8("{}")],
      });
      expect(await codeOf(lying)).toBe("malformed_request");
      const odd = { ...testCommand("delete_config", { config_id: "x" }), kind: "drop_all" } as never;
      expect(await codeOf(core().propose({ command: odd, attachments: [] }))).toBe("malformed_request");
      expect((await core().status()).index).toBe(before);
    });

    it("another tenant's config is not found", async () => {
      const { result } = await createIn(core(), unique(), "{}");
      const foreign = core().propose({
        command: testCommand("delete_config", { config_id: result.config.id }, { tenant: "other" }),
        attachments: [],
      });
      expect(await codeOf(foreign)).toBe("not_found");
    });
  });
}

function describeReads(core: () => CorePort): void {
  describe("reads", () => {
    it("lists configs by prefix in pages, and versions newest first", async () => {
      const env = `env${(serial += 1)}`;
      const namespace = { tenant: "demo", app: "shop", env };
      for (const name of ["b.json", "a.json", "a2.json"]) await createIn(core(), name, "{}", { namespace });
      const query = { tenant: "demo", app: "shop", env, name_prefix: "a", limit: 1 };
      const first = await core().listConfigs(query);
      expect(first.items.map((c) => c.name)).toEqual(["a.json"]);
      const second = await core().listConfigs({ ...query, cursor: first.next_cursor ?? "" });
      expect(second.items.map((c) => c.name)).toEqual(["a2.json"]);
      expect(second.next_cursor).toBeNull();
      const id = first.items[0]?.id ?? "";
      await addVersion(core(), id, "[1]");
      await addVersion(core(), id, "[2]");
      const versions = await core().listVersions({ config_id: id, limit: 2 });
      expect(versions.items.map((v) => v.version_id)).toEqual([3, 2]);
      const rest = await core().listVersions({ config_id: id, limit: 2, cursor: versions.next_cursor ?? "" });
      expect(rest).toMatchObject({ items: [{ version_id: 1 }], next_cursor: null });
      expect(await codeOf(core().listVersions({ config_id: id, limit: 2, cursor: "x" }))).toBe(
        "malformed_request",
      );
    });

    it.each(["stale", "leader", "linearizable"] as const)(
      "R6 a %s read sees the write before it",
      async (consistency) => {
        const name = unique();
        const { result, index } = await createIn(core(), name, "{}");
        const answer = await core().getConfigByName(`demo/shop/prod/${name}`, { consistency });
        expect(answer.config.id).toBe(result.config.id);
        expect(answer.index).toBeGreaterThanOrEqual(index);
      },
    );

    it("status names the leader", async () => {
      const status = await core().status();
      expect(status.leader_id).toBe(1);
      expect(status.nodes).toMatchObject([{ node_id: 1, role: "leader", healthy: true }]);
    });
  });
}

function describeFeed(core: () => CorePort): void {
  describe("R12 the feed", () => {
    it("links entries by prev_index and brings small contents to the edge, without who did it", async () => {
      const start = (await core().status()).index;
      const { result } = await createIn(core(), unique(), `{"n":${start}}`, { releases: [testRule(1)] });
      await core().propose({
        command: testCommand("delete_config", { config_id: result.config.id }),
        attachments: [],
      });
      const full = await core().feed({ after: start, limit: 100, wait_ms: 0, view: "full" });
      expect(full.entries.map((e) => e.kind)).toEqual(["create_config", "delete_config"]);
      expect(full.entries[1]).toMatchObject({
        prev_index: full.entries[0]?.index,
        events: [{ type: "config_deleted", config_id: result.config.id }],
        audit: { actor: { name: "ada" }, action: "delete" },
      });
      expect(full.last_index).toBe(full.entries[1]?.index);
      const { result: kept } = await createIn(core(), unique(), `{"kept":${start}}`, {
        releases: [testRule(1)],
      });
      const edge = await core().edgeFeed({ after: full.last_index, limit: 100, wait_ms: 0 });
      expect(edge.entries[0]).not.toHaveProperty("audit");
      const inline = edge.blobs[kept.version.sha256] ?? "";
      expect(Buffer.from(inline, "base64").toString()).toBe(`{"kept":${start}}`);
    });

    it("a long poll is woken by a write, and answers empty when none comes", async () => {
      const after = (await core().status()).index;
      const idle = await core().edgeFeed({ after, limit: 10, wait_ms: 1 });
      expect(idle.entries).toEqual([]);
      const poll = core().edgeFeed({ after, limit: 10, wait_ms: 15_000 });
      const { index } = await createIn(core(), unique(), "{}");
      expect((await poll).entries.map((e) => e.index)).toEqual([index]);
    });

    it("a cursor past the end is feed_ahead; an aborted poll rejects", async () => {
      const { index } = await core().status();
      expect(await codeOf(core().edgeFeed({ after: index + 1000, limit: 1, wait_ms: 0 }))).toBe("feed_ahead");
      const stop = new AbortController();
      const poll = core().feed({
        after: index,
        limit: 1,
        wait_ms: 15_000,
        view: "full",
        signal: stop.signal,
      });
      stop.abort();
      await expect(poll).rejects.toMatchObject({ name: "AbortError" });
    });
  });
}

function describeSnapshot(core: () => CorePort): void {
  it("E11 pages of the edge snapshot hold every config once, and revocations first", async () => {
    const jti = `jti-${(serial += 1)}`;
    await core().propose({
      command: testCommand("revoke_token", { jti, expires_at_ms: Date.now() + 3_600_000 }),
      attachments: [],
    });
    const names = [unique(), unique(), unique()];
    for (const name of names) await createIn(core(), name, "{}", { releases: [testRule(1)] });
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page = await core().edgeSnapshot({ cursor, limit: 2 });
      if (pages === 0) expect(page.revocations.map((r) => r.jti)).toContain(jti);
      else expect(page.revocations).toEqual([]);
      for (const config of page.configs) {
        seen.push(config.name);
        expect(page.revisions[config.config_id]).toBeGreaterThan(0);
      }
      cursor = page.next_cursor;
      pages += 1;
    } while (cursor !== null);
    expect(pages).toBeGreaterThan(1);
    expect(seen.length).toBe(new Set(seen).size);
    for (const name of names) expect(seen).toContain(name);
  });
}

function describeEdgeConfig(core: () => CorePort): void {
  it("E4 one config comes as the feed tells it, with small contents and the token's standing", async () => {
    const [name, jti] = [unique(), `jti-${(serial += 1)}`];
    const full = `demo/shop/prod/${name}`;
    const none = await core().edgeConfig({ name: full, jti });
    expect(none).toMatchObject({ config: null, token_revoked: false, blobs: {} });
    const made = await createIn(core(), name, '{"a":1}', { releases: [testRule(1)] });
    await core().propose({
      command: testCommand("revoke_token", { jti, expires_at_ms: Date.now() + 3_600_000 }),
      attachments: [],
    });
    const found = await core().edgeConfig({ name: full, jti }, { consistency: "leader" });
    expect(found).toMatchObject({
      cluster_id: made.cluster_id,
      config: { config_id: made.result.config.id, name, variants: [{ version_id: 1, content_bytes: 7 }] },
      token_revoked: true,
    });
    expect(found.index).toBeGreaterThan(made.index);
    expect(Object.values(found.blobs).map((blob) => atob(blob))).toEqual(['{"a":1}']);
    expect((await core().edgeConfig({ name: full, jti: "another" })).token_revoked).toBe(false);
    expect(await codeOf(core().edgeConfig({ name: "demo/shop", jti }))).toBe("not_found");
  });
}
