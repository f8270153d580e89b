import { beforeEach, describe, expect, it } from "vitest";
import type { ChangeRequest } from "../change-request/change-request.ts";
import { TestingChanges } from "../change-request/testing-changes.ts";
import { abilitiesNeeded } from "../command/command-kinds.ts";
import { parseCommand } from "../command/command-schema.ts";
import type {
  BatchItem,
  CommandPayloads,
  ContentRef,
  HeldRewrapping,
  PartRewrapping,
  Rewrapping,
} from "../command/command.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand, testConfigPayload, testRule } from "../command/testing-commands.ts";
import type { ConfigVersion } from "../config/config.ts";
import { grayContentText, grayNamespace, sealedSecretAt } from "../gray-config/gray-content.ts";
import { REWRAP_BYTES_MAX, REWRAP_REQUESTS_MAX, REWRAP_VERSIONS_MAX } from "../limits.ts";
import { sha256Hex } from "../sha256.ts";
import { envelopeHead, envelopeText, identityOf, rewrapEnvelope } from "./envelope-text.ts";
import type { RewrapScope } from "./envelope-place.ts";
import { listEnvelopes, type ListedEnvelope } from "./list-envelopes.ts";

type Payload = CommandPayloads["rewrap_keys"];
const OLD = "arn:aws:kms:us-east-1:1:key/old";
const NEW = "arn:aws:kms:us-east-1:1:key/new";
const SOURCES = grayNamespace("demo", "data-source");
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
/** The names of wrapped keys stand where base64 does. */
const wrapped = (name: string): string => Buffer.from(name).toString("base64");

let t: TestingChanges;
let serial = 0;
beforeEach(() => {
  t = new TestingChanges();
});

function envelope(namespace: typeof SOURCES, name: string): string {
  serial += 1;
  const head = { key_id: OLD, wrapped_key: wrapped(`key ${serial}`) };
  const context = identityOf(namespace, name);
  return envelopeText({ ...head, iv: "aXY=", ciphertext: wrapped(`secret ${serial}`), tag: "dGFn", context });
}
function source(name: string, columns: object, sealed: string | null): Uint8Array {
  const sealedSecret = sealed === null ? null : (JSON.parse(sealed) as Record<string, unknown>);
  return bytesOf(grayContentText("data-source", { columns: { source: name, ...columns }, sealedSecret }));
}
const refOf = (bytes: Uint8Array): ContentRef => ({ attachment: 0, sha256: sha256Hex(bytes) });
function createSource(name: string, bytes: Uint8Array): string {
  const payload = testConfigPayload(name, sha256Hex(bytes), { namespace: SOURCES, releases: [testRule(1)] });
  return t.done("create_config", payload, {}, [bytes]).config.id;
}
const writeDraft = (config_id: string, bytes: Uint8Array): void =>
  void t.done("write_draft", { config_id, content: refOf(bytes), description: "" }, {}, [bytes]);
function sealedRef(bytes: Uint8Array, attachment = 0): ContentRef {
  const content_sha256 = sha256Hex(bytes.subarray(-200));
  return { attachment, sha256: sha256Hex(bytes), sealed: { key_id: OLD, content_sha256 } };
}
function createSecret(name: string): string {
  const namespace = { tenant: "demo", app: "shop", env: "prod" };
  const bytes = bytesOf(envelope(namespace, name));
  const content = sealedRef(bytes);
  const payload = testConfigPayload(name, content.sha256, { namespace, content, encrypted: true });
  return t.done("create_config", payload, {}, [bytes]).config.id;
}
/** Asks for a version of an encrypted config. */
function ask(config_id: string, name: string): string {
  const bytes = bytesOf(envelope({ tenant: "demo", app: "shop", env: "prod" }, name));
  const payload = { config_id, content: sealedRef(bytes), format: null, schema: null, description: "" };
  const operation = { kind: "create_version" as const, payload };
  const config_revision = t.config(config_id).revision;
  const asked = { config_id, config_revision, operation, description: "" };
  return t.done("request_change", asked, {}, [bytes]).request.id;
}

/** What a core makes of a page, with a key service that gives each data key another name. */
function rewrapping(listed: readonly ListedEnvelope[], next_cursor: string | null = null): Payload {
  const items: Rewrapping[] = [];
  const parts: PartRewrapping[] = [];
  const held: HeldRewrapping[] = [];
  for (const { owner, sha256, at } of listed) {
    const bytes = t.state.bytes(stateKey.blob("demo", sha256)) ?? new Uint8Array();
    const from_wrapped_key = envelopeHead(bytes, at)?.wrapped_key ?? "";
    const to = { key_id: NEW, wrapped_key: wrapped(`new ${(serial += 1)}`) };
    const hashes = {
      from_sha256: sha256,
      to_sha256: sha256Hex(rewrapEnvelope(bytes, to, at) ?? new Uint8Array()),
    };
    if (owner.of === "change_request")
      held.push({ change_request_id: owner.change_request_id, ...hashes, ...to });
    else {
      const { config_id, version_id } = owner;
      if (owner.of === "version") items.push({ config_id, version_id, ...hashes, ...to });
      else parts.push({ config_id, version_id, from_wrapped_key, ...to });
    }
  }
  return { resource: "demo/*/*/*", items, parts, held, next_cursor };
}
const list = (scope: Partial<RewrapScope> & { cursor?: string | null } = {}) =>
  listEnvelopes(t.state, { tenant: "demo", cursor: null, ...scope });
const rewrap = (payload: Payload): number => t.done("rewrap_keys", payload).rewrapped;
/** Pages until there are no more. */
function rewrapAll(scope: Partial<RewrapScope> = {}): number {
  let done = 0;
  for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
    const page = list({ ...scope, cursor });
    done += rewrap(rewrapping(page.items, page.next_cursor));
    cursor = page.next_cursor;
  }
  return done;
}
/** Every content of the state, as text. */
const contents = (): string[] =>
  t.state.rows().flatMap(({ value }) => (typeof value === "string" ? [] : [Buffer.from(value).toString()]));
const versionOf = (id: string, n: number): ConfigVersion =>
  t.state.json(stateKey.version(id, n)) as ConfigVersion;
const requestOf = (id: string): ChangeRequest => t.state.json(stateKey.changeRequest(id)) as ChangeRequest;
const textOf = ({ sha256 }: { sha256: string }): string =>
  Buffer.from(t.state.bytes(stateKey.blob("demo", sha256)) ?? []).toString();

describe("K3 P7 C14 every envelope of the state", () => {
  it("K3 P7 C14 is under the new key after a run, and what was sealed is as it was", () => {
    const a = createSource(
      "a",
      source("a", { source_group: 'Größe "sealed_accesskey_secret":{' }, envelope(SOURCES, "a")),
    );
    writeDraft(a, source("a", { dm: "x" }, envelope(SOURCES, "a")));
    createSource("none", source("none", {}, null));
    const secret = createSecret("b");
    ask(secret, "b");
    const gone = createSecret("gone");
    ask(gone, "gone");
    t.done("delete_config", { config_id: gone });
    const before = contents();
    const openable = (texts: string[]): string[] =>
      texts.map((text) => text.replaceAll(/"key_id":"[^"]*","wrapped_key":"[^"]*"/g, "KEY")).toSorted();
    expect(before.filter((text) => text.includes(OLD))).toHaveLength(5);
    const edited = versionOf(a, 2);
    expect(rewrapAll()).toBe(5);
    const after = contents();
    expect(after.filter((text) => text.includes(OLD) || text.includes(wrapped("key ").slice(0, 4)))).toEqual(
      [],
    );
    expect(after.filter((text) => text.includes(NEW))).toHaveLength(5);
    expect(openable(after)).toEqual(openable(before));
    expect(versionOf(a, 2)).toEqual({
      ...edited,
      sha256: versionOf(a, 2).sha256,
      content_bytes: Buffer.byteLength(textOf(versionOf(a, 2))),
    });
    for (const n of [1, 2]) expect(sha256Hex(bytesOf(textOf(versionOf(a, n))))).toBe(versionOf(a, n).sha256);
    expect(versionOf(secret, 1).sealed?.key_id).toBe(NEW);
  });

  it("K3 a repeated command does nothing, and neither does another tenant's", () => {
    const a = createSource("a", source("a", {}, envelope(SOURCES, "a")));
    const secret = createSecret("b");
    ask(secret, "b");
    const payload = rewrapping(list().items);
    expect(t.done("rewrap_keys", payload, { tenant: "other" }).rewrapped).toBe(0);
    expect(rewrap(payload)).toBe(3);
    const [rows, entries, revision] = [t.state.rows(), t.feed.length, t.config(a).revision];
    expect(rewrap(payload)).toBe(0);
    expect([t.state.rows(), t.feed.length, t.config(a).revision]).toEqual([rows, entries, revision]);
  });

  it("P7 a draft whose columns are edited meanwhile is reached all the same; one with another secret stays", () => {
    const [sealed, other] = [envelope(SOURCES, "a"), envelope(SOURCES, "b")];
    const a = createSource("a", source("a", {}, null));
    writeDraft(a, source("a", { dm: "x" }, sealed));
    const b = createSource("b", source("b", {}, null));
    writeDraft(b, source("b", {}, other));
    const payload = rewrapping(list().items);
    writeDraft(a, source("a", { dm: "edited" }, sealed));
    writeDraft(b, source("b", {}, envelope(SOURCES, "b").replace(OLD, "alias/present")));
    expect(rewrap(payload)).toBe(1);
    expect(textOf(versionOf(a, 2))).toContain('"dm":"edited"');
    expect(textOf(versionOf(a, 2))).toContain(NEW);
    expect(textOf(versionOf(b, 2))).toContain("alias/present");
  });

  it("C2 versions that share a content part, and the content they shared is gone", () => {
    const content = source("a", {}, envelope(SOURCES, "a"));
    const a = createSource("a", content);
    writeDraft(a, content);
    expect(t.state.json(stateKey.blobRefs("demo", sha256Hex(content)))).toBe(2);
    expect(rewrapAll()).toBe(2);
    expect(t.state.hasKey(stateKey.blob("demo", sha256Hex(content)))).toBe(false);
    expect(versionOf(a, 1).sha256).not.toBe(versionOf(a, 2).sha256);
  });

  it("C14 what a change request holds has another hash and digest, and its approvals are void", () => {
    const secret = createSecret("b");
    const id = ask(secret, "b");
    const before = requestOf(id);
    t.done("approve_change", { change_request_id: id, digest: before.digest, comment: "" }, { by: "bob" });
    expect(rewrap(rewrapping(list({ cursor: "change-requests@999.0" }).items))).toBe(1);
    const after = requestOf(id);
    expect([after.approvals, after.digest === before.digest, after.revision]).toEqual([[], false, t.index]);
    expect(t.feed.at(-1)?.audit.summary).toContain("1 contents of change requests; void: 1 approvals");
    const execute = (digest: string): string => t.code("execute_change", { change_request_id: id, digest });
    expect(execute(before.digest)).toBe("precondition_failed");
    expect(execute(after.digest)).toBe("ok");
    expect(versionOf(secret, 2).sealed).toEqual({
      key_id: NEW,
      content_sha256: (before.operation.payload as { content: ContentRef }).content.sealed?.content_sha256,
    });
    expect(list({ cursor: "change-requests@999.0" }).items).toEqual([]);
  });

  it("C14 of a batch, each content goes by its own config, and what is not sealed stays", () => {
    const ids = ["b", "c"].map(createSecret);
    const plain = bytesOf("plain");
    const open = t.done("create_config", testConfigPayload("open", sha256Hex(plain)), {}, [plain]).config.id;
    const bytes = [
      plain,
      ...["b", "c"].map((name) => bytesOf(envelope({ tenant: "demo", app: "shop", env: "prod" }, name))),
    ];
    const items = [open, ...ids].map((config_id, i): BatchItem => ({
      config_id,
      expected_revision: t.config(config_id).revision,
      content: i === 0 ? refOf(plain) : sealedRef(bytes[i] ?? plain, i),
      schema: null,
      description: "",
      releases: null,
      default_version_id: "new",
    }));
    const operation = { kind: "batch_releases" as const, payload: { items, abort_plan: false } };
    const asked = { config_id: null, config_revision: null, operation, description: "" };
    const { id } = t.done("request_change", asked, {}, bytes).request;
    const cursor = "change-requests@999.0";
    expect(
      list({ cursor, app: "shop", env: "prod", name: "c" }).items.map(({ identity }) => identity.name),
    ).toEqual(["c"]);
    expect(list({ cursor, app: "pay" }).items).toEqual([]);
    expect(rewrap(rewrapping(list({ cursor }).items))).toBe(2);
    const request = requestOf(id);
    const keys = (request.operation.payload as { items: BatchItem[] }).items.map(
      ({ content }) => content?.sealed,
    );
    expect(keys.map((sealed) => sealed?.key_id)).toEqual([undefined, NEW, NEW]);
    expect(t.code("execute_change", { change_request_id: id, digest: request.digest })).toBe("ok");
  });
});

describe("K3 pages of a run", () => {
  it("K3 no page has more than one command takes, and together they are all, once each", () => {
    t.checks = false;
    for (const name of ["a", "b"]) {
      const id = createSource(name, source(name, {}, envelope(SOURCES, name)));
      for (let n = 2; n <= 40; n += 1) {
        t.done("start_publish", {
          config_id: id,
          content: null,
          version_id: n - 1,
          description: "",
          strategy: "all",
          stages: [],
        });
        writeDraft(id, source(name, {}, envelope(SOURCES, name)));
      }
    }
    const secret = createSecret("c");
    const requests = Array.from({ length: REWRAP_REQUESTS_MAX + 20 }, () => ask(secret, "c"));
    const seen: string[] = [];
    let pages = 0;
    for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
      const page = list({ cursor });
      expect(page.items.length).toBeLessThanOrEqual(REWRAP_VERSIONS_MAX);
      seen.push(...page.items.map(({ owner }) => JSON.stringify(owner)));
      cursor = page.next_cursor;
      pages += 1;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength(80 + 1 + requests.length);
    expect(pages).toBe(4);
    // Whatever was asked for last comes first.
    expect(seen.at(-1)).toContain(requests[0]);
    t.checks = true;
    expect(rewrapAll()).toBe(seen.length);
  });

  it("K3 typed configs without a secret are looked at in pages, too", () => {
    t.checks = false;
    // As large as no data source is, so that few of them fill a page.
    const large = source("a", { dm: "x".repeat(REWRAP_BYTES_MAX / 2 - 1024) }, null);
    for (const name of ["a", "b", "c"]) createSource(name, large);
    createSource("d", source("d", {}, envelope(SOURCES, "d")));
    const first = list();
    expect([first.items, first.next_cursor]).toEqual([[], expect.stringMatching(/^gray\/data-source\/b@/)]);
    expect(list({ cursor: first.next_cursor }).items).toHaveLength(1);
  });
});

describe("K3 old and new builds", () => {
  const version = { config_id: "cfg-1", version_id: 1 };
  const to = { key_id: NEW, wrapped_key: wrapped("new") };
  const hashes = { from_sha256: "a".repeat(64), to_sha256: "b".repeat(64) };
  const old: Payload = {
    resource: "demo/*/*/*",
    items: [{ ...version, ...hashes, ...to }],
    next_cursor: null,
  };
  const parts = [{ ...version, from_wrapped_key: wrapped("old"), ...to }];
  const held = [{ change_request_id: "chr-1", ...hashes, ...to }];

  it.each([
    [old, ["rewrap_keys"]],
    [{ ...old, parts }, ["rewrap_keys", "rewrap_everywhere"]],
    [{ ...old, held }, ["rewrap_keys", "rewrap_everywhere"]],
  ])(
    "K3 a command of before is taken as it was, and what is new needs voters that know it: %#",
    (payload, needed) => {
      const command = testCommand("rewrap_keys", payload);
      expect(parseCommand(command)).toEqual({ ok: true, command });
      expect(abilitiesNeeded(command)).toEqual(needed);
    },
  );

  it.each([
    ["a field that is none", { parts: [{ ...parts[0], more: 1 }] }],
    ["no wrapped key", { parts: [{ ...parts[0], wrapped_key: "" }] }],
    ["a hash that is none", { held: [{ ...held[0], to_sha256: "x" }] }],
    ["too many", { parts: Array.from({ length: REWRAP_VERSIONS_MAX + 1 }, () => parts[0]) }],
  ])("K3 no core takes %s", (_what, wrong) => {
    expect(parseCommand({ ...testCommand("rewrap_keys", old), payload: { ...old, ...wrong } }).ok).toBe(
      false,
    );
  });
});

describe("P7 where the sealed secret stands", () => {
  it("P7 is found behind its name alone, and in a data source alone", () => {
    const sealed = envelope(SOURCES, "a");
    const bytes = source("a", { dm: '"sealed_accesskey_secret":x' }, sealed);
    const at = sealedSecretAt(SOURCES, bytes);
    expect(Buffer.from(bytes.subarray(at ?? 0)).toString()).toBe(`${sealed}}`);
    expect(sealedSecretAt(SOURCES, source("a", { dm: '"sealed_accesskey_secret":' }, null))).toBeNull();
    expect(sealedSecretAt({ ...SOURCES, env: "api-record" }, bytes)).toBeNull();
    expect(sealedSecretAt({ ...SOURCES, app: "shop" }, bytes)).toBeNull();
  });
});
