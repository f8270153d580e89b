import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { ServiceTokens } from "../../adapters/core-client/service-token.ts";
import { codeOf, createIn, sha256Of, utf8 } from "../../adapters/core-client/testing/core-conformance.ts";
import { rewrapInput, sealIn } from "../../adapters/core-client/testing/encryption-conformance.ts";
import type { DataKey, KeyService } from "../../adapters/kms/key-service.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import {
  COMMAND_CONTENT_TYPE,
  COMMAND_TO_SEAL_CONTENT_TYPE,
  encodeCommand,
} from "../../contracts/core/command-codec.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import { NotProposedError } from "../replicated-log.ts";
import { startTestingNode, type TestingNode, TESTING_SERVICE_KEY } from "./testing-node.ts";

const SECRET = "hunter2-hunter2-hunter2";
const memory = new MemoryKeyService(["alias/one", "alias/two"]);

/** A key service that does what it is told. */
class ToldKeys implements KeyService {
  failure: Error | null = null;
  /** When set, a data key waits for it. */
  held: Promise<void> | null = null;
  asked = 0;
  /** New wrappings until it fails. */
  rewrapsLeft = Infinity;

  async generateDataKey(input: Parameters<KeyService["generateDataKey"]>[0]): Promise<DataKey> {
    this.asked += 1;
    await this.held;
    if (this.failure !== null) throw this.failure;
    return memory.generateDataKey(input);
  }
  async rewrapDataKey(input: Parameters<KeyService["rewrapDataKey"]>[0]) {
    this.rewrapsLeft -= 1;
    if (this.rewrapsLeft < 0) throw new ConfluxError("unavailable", "away");
    return memory.rewrapDataKey(input);
  }
  decryptDataKey(): Promise<Uint8Array> {
    throw new Error("a core never opens a data key");
  }
}

let keys: ToldKeys;
let node: TestingNode;
let core: CoreClient;
beforeEach(async () => {
  keys = new ToldKeys();
  await start({ keys, defaultKeyId: "alias/one" });
});
afterEach(() => node.stop());
async function start(encryption?: { keys: KeyService; defaultKeyId: string | null }): Promise<void> {
  node = await startTestingNode(encryption === undefined ? {} : { encryption });
  core = new CoreClient({ urls: [node.url], serviceKey: TESTING_SERVICE_KEY, role: "admin" });
}
const restart = async (encryption?: Parameters<typeof start>[0]): Promise<void> => {
  await node.stop();
  await start(encryption);
};

/** Everything that the node has written: files, log lines. */
function written(): string {
  node.store.settle();
  const files = readdirSync(node.directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const texts = files.map((file) => readFileSync(join(file.parentPath, file.name), "latin1"));
  return [...texts, JSON.stringify(node.lines)].join("\n");
}

describe("K5 the gate before the log", () => {
  it("lets no plaintext through, whatever becomes of the write", async () => {
    await createIn(core, "open.json", "canary-canary");
    const { result } = await sealIn(core, "a.json", SECRET);
    const bytes = utf8(SECRET);
    const payload = {
      config_id: result.config.id,
      content: { attachment: 0, sha256: await sha256Of(bytes) },
      format: null,
      schema: null,
      description: "",
    };
    const add = testCommand("create_version", payload);
    expect(await codeOf(core.propose({ command: add, attachments: [bytes] }))).toBe("malformed_request");
    const stale = { ...add, expected_revision: 999 };
    const seal = { key_id: null };
    expect(await codeOf(core.propose({ command: stale, attachments: [bytes], seal }))).toBe(
      "precondition_failed",
    );
    await core.propose({
      command: testCommand("delete_config", { config_id: result.config.id }),
      attachments: [],
    });
    expect(await codeOf(core.propose({ command: add, attachments: [bytes] }))).toBe("not_found");
    expect(await codeOf(core.propose({ command: add, attachments: [bytes], seal }))).toBe("not_found");
    keys.failure = new ConfluxError("unavailable", "away");
    expect(await codeOf(sealIn(core, "b.json", SECRET))).toBe("key_service_unavailable");
    expect(written()).toContain("canary-canary");
    expect(written()).not.toContain(SECRET);
    expect(JSON.stringify(await core.feed({ after: 0, limit: 100, wait_ms: 0, view: "full" }))).not.toContain(
      SECRET,
    );
  });

  it("a key service that is away refuses encrypted writes with when to come back, and proposes nothing", async () => {
    keys.failure = new ConfluxError("unavailable", "away");
    const before = node.store.lastApplied();
    await expect(sealIn(core, "a.json", "x")).rejects.toMatchObject({
      code: "key_service_unavailable",
      retryAfterS: 1,
    });
    expect(node.store.lastApplied()).toBe(before);
    await createIn(core, "open.json", "{}");
    keys.failure = null;
    await sealIn(core, "a.json", "x");
  });

  it("while one write waits for the key service, others go on", async () => {
    const held = Promise.withResolvers<void>();
    keys.held = held.promise;
    const waiting = sealIn(core, "slow.json", "x");
    while (keys.asked === 0) await new Promise((resolve) => setImmediate(resolve));
    const { result } = await createIn(core, "open.json", "{}");
    expect(result.config.name).toBe("open.json");
    held.resolve();
    expect((await waiting).index).toBeGreaterThan(1);
  });

  it("no key of the application and no default one is a conflict; so is a core without a key service", async () => {
    await restart({ keys, defaultKeyId: null });
    await expect(sealIn(core, "a.json", "x")).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("demo/shop has no KMS key"),
    });
    await sealIn(core, "a.json", "x", { keyId: "alias/two" });
    await restart();
    expect(await codeOf(sealIn(core, "a.json", "x"))).toBe("conflict");
    expect(await codeOf(core.rewrapKeys(rewrapInput()))).toBe("conflict");
  });

  it("only a leader seals: elsewhere the key service is not even asked", async () => {
    node.log.failure = new NotProposedError("node 2 leads", 2);
    expect(await codeOf(sealIn(core, "a.json", "x"))).toBe("not_proposed");
    expect(keys.asked).toBe(0);
  });

  it("refuses a key id that cannot be one, and a broken command without quoting it", async () => {
    const payload = testConfigPayload("a.json", await sha256Of(utf8("x")), { encrypted: true });
    const body = encodeCommand({ command: testCommand("create_config", payload), attachments: [utf8("x")] });
    const wrongKey = await propose("/v1/propose?key_id=a%22b", body, COMMAND_TO_SEAL_CONTENT_TYPE);
    expect(await wrongKey.json()).toMatchObject({ code: "malformed_request", errors: [{ path: "/key_id" }] });
    for (const type of [COMMAND_CONTENT_TYPE, COMMAND_TO_SEAL_CONTENT_TYPE]) {
      const text = utf8(SECRET);
      const broken = new Uint8Array([1, 0, 0, 0, text.byteLength, ...text]);
      const answer = await (await propose("/v1/propose", broken, type)).text();
      expect(answer).toContain("malformed_request");
      expect(answer).not.toContain("hunter");
    }
    expect(written()).not.toContain("hunter");
  });
});

describe("K3 re-wrapping that is cut short", () => {
  it("keeps what was done, says where to go on, and ends up with everything done once", async () => {
    for (const name of ["a", "b", "c"]) await sealIn(core, `${name}.json`, name);
    keys.rewrapsLeft = 2;
    const first = await core.rewrapKeys(rewrapInput({ keys: { shop: "alias/two" } }));
    expect(first).toMatchObject({ rewrapped: 2, next_cursor: "shop/prod/b.json@1" });
    const again = rewrapInput({ keys: { shop: "alias/two" }, cursor: first.next_cursor });
    await expect(core.rewrapKeys(again)).rejects.toMatchObject({ code: "key_service_unavailable" });
    keys.rewrapsLeft = Infinity;
    expect(await core.rewrapKeys(again)).toMatchObject({ rewrapped: 1, next_cursor: null });
    const { items } = await core.listConfigs({ tenant: "demo", limit: 10 });
    for (const { id } of items) {
      const { version } = await core.getVersion({ config_id: id, version_id: 1 });
      expect(version.sealed?.key_id).toBe("alias/two");
    }
  });
});

const tokens = new ServiceTokens(TESTING_SERVICE_KEY, "admin", Date.now);
async function propose(path: string, body: Uint8Array, type: string): Promise<Response> {
  return fetch(node.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${await tokens.token()}`, "content-type": type },
    body: new Uint8Array(body),
  });
}
