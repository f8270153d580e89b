import { beforeEach, describe, expect, it } from "vitest";
import type { ApplyOutcome } from "../command/apply-command.ts";
import { checkInvariants } from "../command/check-invariants.ts";
import type { BatchItem, Command, Rewrapping } from "../command/command.ts";
import type { FeedEntry } from "../command/feed-entry.ts";
import { MemoryStateMachine } from "../command/memory-state-machine.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand, testConfigPayload, testRule } from "../command/testing-commands.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { CONTENT_BYTES_MAX, ENVELOPE_BYTES_MAX, REWRAP_VERSIONS_MAX } from "../limits.ts";
import { envelopeHead, rewrapEnvelope } from "./envelope-text.ts";
import { listEnvelopes } from "./list-envelopes.ts";
import { sealingOf } from "./sealing-of.ts";
import { withoutContent } from "./with-content.ts";
import { testEncrypted, testEnvelope, testHash, testSealed } from "./testing-envelopes.ts";

const KEY_B = "arn:aws:kms:us-east-1:1:key/b";
let machine: MemoryStateMachine;
beforeEach(() => {
  machine = new MemoryStateMachine({ clusterId: "c1", feedRetainedEntriesMax: 1000 });
});

function apply(command: Command, bytes?: Uint8Array): ApplyOutcome {
  const attachments = bytes === undefined ? [] : [bytes];
  const outcome = machine.apply({ command, attachments, timestampMs: 1000 });
  expect(checkInvariants(machine.state)).toEqual([]);
  return outcome;
}
function create(name: string, n: number, more: Parameters<typeof testEncrypted>[2] = {}): string {
  const outcome = apply(testEncrypted(name, n, more), testEnvelope(name, "b25l"));
  if (!outcome.ok) throw new Error(outcome.detail);
  return (outcome.result as { config: Config }).config.id;
}
const addVersion = (configId: string, content = testSealed(0)): Command =>
  testCommand("create_version", {
    config_id: configId,
    content,
    format: null,
    schema: null,
    description: "",
  });
const versionOf = (id: string, n: number): ConfigVersion =>
  machine.state.json(stateKey.version(id, n)) as ConfigVersion;
const configOf = (id: string): Config => machine.state.json(stateKey.config(id)) as Config;
const lastEntry = (): FeedEntry => [...machine.feed().entriesAfter(0)].at(-1)!.entry;

describe("K1 what is sealed and what is not", () => {
  it("keeps the seal of each version, however it was made", () => {
    const id = create("a.json", 1, { releases: [testRule(1)] });
    apply(addVersion(id, testSealed(2)), testEnvelope("a.json", "dHdv"));
    const publish = testCommand("start_publish", {
      config_id: id,
      content: testSealed(3),
      version_id: null,
      description: "",
      strategy: "all",
      stages: [],
    });
    expect(apply(publish, testEnvelope("a.json", "dHJl")).ok).toBe(true);
    expect([1, 2, 3].map((n) => versionOf(id, n).sealed)).toEqual([1, 2, 3].map((n) => testSealed(n).sealed));
    expect(lastEntry().events[0]).toMatchObject({ encrypted: true, variants: [{ sha256: testHash(3) }] });
  });

  const plain = { attachment: 0, sha256: testHash(7) };
  it("refuses content as it came for an encrypted config, and an envelope for any other", () => {
    const secret = create("a.json", 1);
    apply(testCommand("create_config", testConfigPayload("b.json", plain.sha256)), new Uint8Array(3));
    const refused = { ok: false, code: "validation_failed", errors: [{ path: "/content" }] };
    const bytes = new Uint8Array(3);
    expect(apply(addVersion(secret, plain), bytes)).toMatchObject(refused);
    expect(apply(addVersion("cfg-c1-2", testSealed(8)), bytes)).toMatchObject(refused);
    const encrypted = testConfigPayload("c.json", plain.sha256, { encrypted: true });
    expect(apply(testCommand("create_config", encrypted), bytes)).toMatchObject(refused);
    const sealed = testConfigPayload("d.json", testHash(9), { content: testSealed(9) });
    expect(apply(testCommand("create_config", sealed), bytes)).toMatchObject(refused);
  });

  it("has room for the envelope of the largest content, and for no more", () => {
    expect(apply(testEncrypted("a.json", 1), new Uint8Array(ENVELOPE_BYTES_MAX)).ok).toBe(true);
    expect(Math.ceil(CONTENT_BYTES_MAX / 3) * 4).toBeLessThan(ENVELOPE_BYTES_MAX);
    const tooLarge = apply(testEncrypted("b.json", 2), new Uint8Array(ENVELOPE_BYTES_MAX + 1));
    expect(tooLarge).toMatchObject({ ok: false, code: "payload_too_large" });
  });
});

describe("K5 what a core does before the log", () => {
  const wrong = { ok: false, code: "malformed_request" };
  it("seals for the config's own identity, exactly when the config is encrypted", () => {
    const id = create("a.json", 1);
    const identity = { tenant: "demo", app: "shop", env: "prod", name: "a.json" };
    const content = { attachment: 0, sha256: testHash(7) };
    const add = addVersion(id, content);
    expect(sealingOf(machine.state, add, true)).toEqual({
      ok: true,
      do: "seal",
      identities: [identity],
    });
    expect(sealingOf(machine.state, add, false)).toMatchObject(wrong);
    const open = testCommand("create_config", testConfigPayload("b.json", content.sha256));
    expect(sealingOf(machine.state, open, false)).toEqual({ ok: true, do: "pass" });
    expect(sealingOf(machine.state, open, true)).toMatchObject(wrong);
    const secret = testCommand(
      "create_config",
      testConfigPayload("b.json", content.sha256, { encrypted: true }),
    );
    expect(sealingOf(machine.state, secret, false)).toMatchObject(wrong);
    expect(sealingOf(machine.state, secret, true)).toMatchObject({
      do: "seal",
      identities: [{ name: "b.json" }],
    });
  });

  it("takes no envelope from anybody, and drops content for a config that is not there", () => {
    const id = create("a.json", 1);
    expect(sealingOf(machine.state, addVersion(id, testSealed(2)), true)).toMatchObject(wrong);
    expect(sealingOf(machine.state, addVersion(id, testSealed(2)), false)).toMatchObject(wrong);
    apply(testCommand("delete_config", { config_id: id }));
    const content = { attachment: 0, sha256: testHash(7) };
    for (const toBeSealed of [true, false]) {
      expect(sealingOf(machine.state, addVersion(id, content), toBeSealed)).toEqual({ ok: true, do: "drop" });
    }
    const other = { ...addVersion(create("c.json", 3), content), tenant: "other" } as Command;
    expect(sealingOf(machine.state, other, true)).toEqual({ ok: true, do: "drop" });
    expect(sealingOf(machine.state, testCommand("delete_config", { config_id: id }), true)).toMatchObject(
      wrong,
    );
  });

  it("K5 lets no batch bring a content of an encrypted config as it came, nor one of a config that it does not know", () => {
    const id = create("secret", 1);
    apply(testCommand("create_config", testConfigPayload("open", testHash(7))), new Uint8Array(3));
    const item = {
      config_id: id,
      expected_revision: null,
      content: { attachment: 0, sha256: testHash(2) },
      schema: null,
      description: "",
      releases: null,
      default_version_id: "new" as const,
    };
    const batch = (changes: Partial<BatchItem>) =>
      testCommand("batch_releases", { items: [{ ...item, ...changes }], abort_plan: false });
    expect(sealingOf(machine.state, batch({}), false)).toMatchObject(wrong);
    const open = { ...item, config_id: "cfg-c1-2" };
    const ruled = { ...item, config_id: "cfg-c1-1", content: null, default_version_id: 1 };
    const mixed = testCommand("batch_releases", { items: [open, ruled, item], abort_plan: false });
    expect(sealingOf(machine.state, mixed, true)).toEqual({
      ok: true,
      do: "seal",
      identities: [null, { tenant: "demo", app: "shop", env: "prod", name: "secret" }],
    });
    const opens = testCommand("batch_releases", { items: [open], abort_plan: false });
    expect(sealingOf(machine.state, opens, true)).toMatchObject(wrong);
    expect(sealingOf(machine.state, opens, false)).toEqual({ ok: true, do: "pass" });
    const asked = { config_id: null, config_revision: null, description: "" };
    const { kind, payload } = mixed;
    const request = testCommand("request_change", { ...asked, operation: { kind, payload } });
    expect(sealingOf(machine.state, request, true)).toEqual(sealingOf(machine.state, mixed, true));
    expect(sealingOf(machine.state, request, false)).toMatchObject(wrong);
    expect(sealingOf(machine.state, batch({ content: testSealed(2) }), false)).toMatchObject({
      code: "malformed_request",
    });
    const unknown = batch({ config_id: "cfg-c1-99" });
    expect(sealingOf(machine.state, unknown, false)).toEqual({ ok: true, do: "drop" });
    const dropped = withoutContent(unknown);
    expect(dropped.attachments).toEqual([new Uint8Array()]);
    expect(JSON.stringify(dropped.command)).not.toContain(testHash(2));
    const rules = batch({ content: null, default_version_id: 1 });
    expect(sealingOf(machine.state, rules, false)).toEqual({ ok: true, do: "pass" });
    expect(apply(rules).ok).toBe(true);
  });
});

const rewrapping = (id: string, n: number, from: number, to: number): Rewrapping => ({
  config_id: id,
  version_id: n,
  from_sha256: testHash(from),
  to_sha256: testHash(to),
  key_id: KEY_B,
  wrapped_key: "YW5ldw==",
});
const rewrap = (items: Rewrapping[]): Command =>
  testCommand("rewrap_keys", { resource: "demo/shop/*/*", items, next_cursor: "shop/prod/a.json@2" });

describe("K3 re-wrapping", () => {
  it("changes the head of the envelope, hash, index and ETag; content, version and its hash stay", () => {
    const id = create("a.json", 1, { releases: [testRule(1)] });
    const before = { config: configOf(id), version: versionOf(id, 1) };
    const outcome = apply(rewrap([rewrapping(id, 1, 1, 11)]));
    expect(outcome).toMatchObject({ ok: true, result: { rewrapped: 1, next_cursor: "shop/prod/a.json@2" } });
    const after = versionOf(id, 1);
    const head = { key_id: KEY_B, wrapped_key: "YW5ldw==" };
    const stored = machine.state.bytes(stateKey.blob("demo", testHash(11)));
    expect(stored).toEqual(testEnvelope("a.json", "b25l", head));
    expect(after).toEqual({
      ...before.version,
      sha256: testHash(11),
      content_bytes: stored?.byteLength,
      sealed: { key_id: KEY_B, content_sha256: before.version.sealed?.content_sha256 },
    });
    expect(machine.state.hasKey(stateKey.blob("demo", testHash(1)))).toBe(false);
    expect(configOf(id).revision).toBeGreaterThan(before.config.revision);
    expect(lastEntry()).toMatchObject({
      kind: "rewrap_keys",
      events: [{ type: "config_changed", variants: [{ version_id: 1, sha256: testHash(11) }] }],
      audit: { resource: "demo/shop/*/*", summary: expect.stringContaining("1 versions of 1 configs") },
    });
  });

  it("passes over what has changed, is gone, is another tenant's, or stands there twice", () => {
    const id = create("a.json", 1);
    const once = rewrapping(id, 1, 1, 11);
    const passed = [rewrapping(id, 2, 1, 12), rewrapping("cfg-c1-99", 1, 1, 12), rewrapping(id, 1, 5, 12)];
    const rewrapped = (command: Command) => apply(command) as { result?: { rewrapped: number } };
    expect(rewrapped(rewrap(passed)).result?.rewrapped).toBe(0);
    expect(rewrapped({ ...rewrap([once]), tenant: "other" }).result?.rewrapped).toBe(0);
    expect(rewrapped(rewrap([once, { ...once, to_sha256: testHash(13) }])).result?.rewrapped).toBe(1);
    const entries = [...machine.feed().entriesAfter(0)].length;
    expect(rewrapped(rewrap([once])).result?.rewrapped).toBe(0);
    expect([...machine.feed().entriesAfter(0)]).toHaveLength(entries);
  });

  it("goes through a scope page by page, every version once, in any cut", () => {
    const ids = ["a", "b", "c"].map((name, i) => create(name, i * 1000));
    apply(
      testCommand("create_config", testConfigPayload("b2", testHash(5), { releases: [testRule(1)] })),
      new Uint8Array(1),
    );
    for (const [i, id] of ids.entries()) {
      for (let n = 1; n <= 40; n += 1)
        machine.apply({
          command: addVersion(id, testSealed(i * 1000 + n)),
          attachments: [testEnvelope("x", "eA==")],
          timestampMs: 1000,
        });
    }
    const walk = (scope: object): string[] => {
      const seen: string[] = [];
      for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
        const page = listEnvelopes(machine.state, { tenant: "demo", ...scope, cursor });
        expect(page.items.length).toBeLessThanOrEqual(REWRAP_VERSIONS_MAX);
        expect(page.items.at(-1)?.cursor ?? null).toBe(page.next_cursor ?? page.items.at(-1)?.cursor ?? null);
        seen.push(
          ...page.items.map(({ owner, identity }) =>
            owner.of === "version" ? `${identity.name} ${owner.version_id}` : owner.of,
          ),
        );
        cursor = page.next_cursor;
      }
      return seen;
    };
    const all = ["a", "b", "c"].flatMap((name) => Array.from({ length: 41 }, (_, i) => `${name} ${i + 1}`));
    expect(walk({})).toEqual(all);
    expect(walk({ app: "shop", env: "prod" })).toEqual(all);
    expect(walk({ app: "shop", env: "prod", name: "b" })).toEqual(all.slice(41, 82));
    expect(walk({ app: "other" })).toEqual([]);
    // From the middle of a config, and from one that is gone meanwhile.
    const from = (cursor: string) => listEnvelopes(machine.state, { tenant: "demo", cursor }).items[0];
    expect(from("shop/prod/a@7")).toMatchObject({ cursor: "shop/prod/a@8" });
    expect(from("shop/prod/aa@7")).toMatchObject({ cursor: "shop/prod/b@1" });
  });
});

describe("the text of an envelope", () => {
  it("bytes that are no envelope are told apart, and nothing is made of them", () => {
    const head = { key_id: KEY_B, wrapped_key: "YQ==" };
    const text = Buffer.from(testEnvelope("a", "YQ==")).toString();
    for (const wrong of [
      "",
      "{}",
      text.slice(1),
      text.replace("A256GCM", "A128GCM"),
      text.replace(',"iv"', ""),
      "é".repeat(20_000),
    ]) {
      expect(envelopeHead(Buffer.from(wrong))).toBeNull();
      expect(rewrapEnvelope(Buffer.from(wrong), head)).toBeNull();
    }
    expect(envelopeHead(Buffer.from(text))).toEqual({
      key_id: "arn:aws:kms:us-east-1:1:key/a",
      wrapped_key: "d3JhcHBlZA==",
    });
  });
});
