import { describe, expect, it } from "vitest";
import type { ProposeAnswer } from "../../../contracts/core/core-api.ts";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import { SEALED_SECRET_BYTES_MAX } from "../../../contracts/limits.ts";
import type { CoreRewrapInput } from "../../../contracts/encryption/rewrap-api.ts";
import { testBundle } from "../../../domain/bundle/testing-bundles.ts";
import type { CommandOf } from "../../../domain/command/command.ts";
import { testCommand, testConfigPayload, testRule } from "../../../domain/command/testing-commands.ts";
import type { KeyService } from "../../kms/key-service.ts";
import { openContent } from "../../kms/testing/open-content.ts";
import { codeOf, sha256Of, unique, utf8 } from "./core-conformance.ts";
import { describeRewrappingEverywhere } from "./rewrap-conformance.ts";

type Head = Partial<Omit<CommandOf<"create_config">, "kind" | "payload">>;

/** Creates an encrypted config with this content. */
export async function sealIn(
  core: CorePort,
  name: string,
  text: string,
  { keyId = null, head = {} }: { keyId?: string | null; head?: Head } = {},
): Promise<ProposeAnswer<"create_config">> {
  const bytes = utf8(text);
  const payload = testConfigPayload(name, await sha256Of(bytes), {
    encrypted: true,
    releases: [testRule(1)],
  });
  const command = testCommand("create_config", payload, head);
  return core.propose({ command, attachments: [bytes], seal: { key_id: keyId } });
}

async function versionIn(
  core: CorePort,
  configId: string,
  text: string,
  seal: object | null = { key_id: null },
) {
  const bytes = utf8(text);
  const content = { attachment: 0, sha256: await sha256Of(bytes) };
  const rest = { format: null, schema: null, description: "" };
  return core.propose({
    command: testCommand("create_version", { config_id: configId, content, ...rest }),
    attachments: [bytes],
    ...(seal === null ? {} : { seal: seal as { key_id: string | null } }),
  });
}

export function rewrapInput(more: Partial<CoreRewrapInput> = {}): CoreRewrapInput {
  const { actor, ip, trace_id } = testCommand("delete_config", { config_id: "x" });
  return { tenant: "demo", cursor: null, keys: {}, head: { actor, ip, trace_id }, ...more };
}

/**
 * What every `CorePort` promises of encrypted configs. Its key service is `keys`, with the keys `alias/one` (the default)
 * and `alias/two`.
 */
export function encryptionConformance(core: () => CorePort, keys: KeyService): void {
  async function read(configId: string, versionId: number) {
    const { version } = await core().getVersion({ config_id: configId, version_id: versionId });
    const body = await core().getBlob({ tenant: "demo", sha256: version.sha256 });
    const { config } = await core().getConfig(configId);
    return { version, body, config, text: await openContent(keys, body) };
  }
  describe("encrypted configs", () => {
    describeSealing(core, read);
    describeSeveral(core, read);
    describeSecrets(core, keys);
    describeRewrapping(core, read);
    describeRewrappingEverywhere(core, keys);
  });
}

type Read = (
  configId: string,
  versionId: number,
) => Promise<{
  version: { sha256: string; sealed?: { key_id: string; content_sha256: string } | undefined };
  body: Uint8Array;
  config: { revision: number; encrypted: boolean };
  text: string;
}>;

function describeSeveral(core: () => CorePort, read: Read): void {
  it("K1 C7 seals the contents of encrypted configs in a batch, each under its application's key, and no other", async () => {
    const made = async (app: string, encrypted: boolean) => {
      const payload = testConfigPayload(unique(), await sha256Of(utf8("old")), { encrypted });
      const namespace = { ...payload.namespace, app };
      const command = testCommand("create_config", { ...payload, namespace });
      const seal = encrypted ? { key_id: null } : undefined;
      return (await core().propose({ command, attachments: [utf8("old")], seal })).result.config.id;
    };
    const ids = [await made("shop", true), await made("shop", false), await made("pay", true)];
    const texts = ["hunter5", "open", "hunter6"];
    const items = ids.map(async (config_id, attachment) => ({
      config_id,
      expected_revision: null,
      content: { attachment, sha256: await sha256Of(utf8(texts[attachment] ?? "")) },
      schema: null,
      description: "",
      releases: null,
      default_version_id: "new" as const,
    }));
    const batch = {
      command: testCommand("batch_releases", { items: await Promise.all(items), abort_plan: false }),
      attachments: texts.map(utf8),
    };
    expect(await codeOf(core().propose(batch))).toBe("malformed_request");
    const seal = { key_id: null, keys: { pay: "alias/two" } };
    expect(await codeOf(core().propose({ ...batch, seal: { key_id: null, keys: { pay: "a b" } } }))).not.toBe(
      "ok",
    );
    const { result } = await core().propose({ ...batch, seal });
    expect(result.items.map(({ version }) => version?.sealed?.key_id)).toEqual([
      "alias/one",
      undefined,
      "alias/two",
    ]);
    const [first = "", second = "", third = ""] = ids;
    expect([(await read(first, 2)).text, (await read(third, 2)).text]).toEqual(["hunter5", "hunter6"]);
    const open = await core().getVersion({ config_id: second, version_id: 2 });
    expect(await core().getBlob({ tenant: "demo", sha256: open.version.sha256 })).toEqual(utf8("open"));
  });

  it("K5 C14 a bundle that is asked for brings no content of an encrypted config, as one that is applied", async () => {
    const name = unique();
    await sealIn(core(), name, "x");
    const { command, attachments } = testBundle(unique(), [{ name, content: "hunter7" }], { adopt: true });
    const operation = {
      kind: "apply_bundle" as const,
      payload: { ...command.payload, if_plan: "0".repeat(64) },
    };
    const asked = { config_id: null, config_revision: null, operation, description: "" };
    for (const given of [command, testCommand("request_change", asked)]) {
      const propose = core().propose({ command: given, attachments });
      await expect(propose).rejects.toMatchObject({
        code: "validation_failed",
        errors: [{ path: "/configs/0/content" }],
      });
    }
  });
}

function describeSealing(core: () => CorePort, read: Read): void {
  it("K1 seals what it is given to seal, under the key that is named or the default one", async () => {
    const { result } = await sealIn(core(), unique(), "hunter2");
    const { id } = result.config;
    await versionIn(core(), id, "hunter3", { key_id: "alias/two" });
    const [first, second] = [await read(id, 1), await read(id, 2)];
    expect([first.text, second.text]).toEqual(["hunter2", "hunter3"]);
    expect([first.version.sealed?.key_id, second.version.sealed?.key_id]).toEqual(["alias/one", "alias/two"]);
    expect(first.config.encrypted).toBe(true);
    expect(Buffer.from(first.body).includes("hunter")).toBe(false);
    expect(await sha256Of(first.body)).toBe(first.version.sha256);
    const publish = {
      command: testCommand("start_publish", {
        config_id: id,
        content: { attachment: 0, sha256: await sha256Of(utf8("hunter4")) },
        version_id: null,
        description: "",
        strategy: "all",
        stages: [],
      }),
      attachments: [utf8("hunter4")],
      seal: { key_id: null },
    };
    await core().propose(publish);
    expect((await read(id, 3)).text).toBe("hunter4");
  });

  it("K1 the same content again shares no bytes", async () => {
    const { result } = await sealIn(core(), unique(), "same");
    await versionIn(core(), result.config.id, "same");
    const [first, second] = [await read(result.config.id, 1), await read(result.config.id, 2)];
    expect(first.text).toBe(second.text);
    expect(first.version.sha256).not.toBe(second.version.sha256);
    expect(first.version.sealed?.content_sha256).not.toBe(second.version.sealed?.content_sha256);
  });

  it("K5 refuses content that comes as it is for an encrypted config, and to seal any other's", async () => {
    const { result } = await sealIn(core(), unique(), "x");
    expect(await codeOf(versionIn(core(), result.config.id, "plain", null))).toBe("malformed_request");
    const payload = testConfigPayload(unique(), await sha256Of(utf8("p")), { encrypted: true });
    const command = testCommand("create_config", payload);
    expect(await codeOf(core().propose({ command, attachments: [utf8("p")] }))).toBe("malformed_request");
    const open = testCommand("create_config", { ...payload, encrypted: false });
    const sealed = { command: open, attachments: [utf8("p")], seal: { key_id: null } };
    expect(await codeOf(core().propose(sealed))).toBe("malformed_request");
  });

  it("K5 a key that the key service does not have is key_service_unavailable, and nothing is made", async () => {
    const name = unique();
    expect(await codeOf(sealIn(core(), name, "x", { keyId: "alias/none" }))).toBe("key_service_unavailable");
    expect(await codeOf(core().getConfigByName(`demo/shop/prod/${name}`))).toBe("not_found");
  });

  it("C12 a repetition under a key answers the first result, also when the config is gone meanwhile", async () => {
    const name = unique();
    const head = { idempotency: { scope: name, digest: "d" } };
    const first = await sealIn(core(), name, "x", { head });
    const again = await sealIn(core(), name, "x", { head });
    expect(again).toMatchObject({ replayed: true, index: first.index, result: first.result });
    const { id } = first.result.config;
    const remove = testCommand("delete_config", { config_id: id });
    await core().propose({ command: remove, attachments: [] });
    expect((await sealIn(core(), name, "x", { head })).replayed).toBe(true);
    for (const seal of [null, { key_id: null }]) {
      expect(await codeOf(versionIn(core(), id, "x", seal))).toBe("not_found");
    }
  });
}

function describeSecrets(core: () => CorePort, keys: KeyService): void {
  it("P7 seals a secret that is a part of a config, bound to that config, and keeps nothing of it", async () => {
    const identity = { tenant: "demo", app: "gray", env: "data-source", name: unique() };
    const before = await core().status();
    const seal = (more: object = {}) =>
      core().sealSecret({ identity, key_id: null, secret: utf8("hunter2"), ...more });
    const [first, second] = [await seal(), await seal({ key_id: "alias/two" })];
    const texts = await Promise.all([first, second].map((envelope) => openContent(keys, envelope)));
    expect(texts).toEqual(["hunter2", "hunter2"]);
    const parts = JSON.parse(new TextDecoder().decode(second)) as Record<string, unknown>;
    expect([parts["key_id"], parts["context"]]).toEqual(["alias/two", identity]);
    expect(Buffer.from(first).equals(Buffer.from(second))).toBe(false);
    expect(await codeOf(seal({ key_id: "alias/none" }))).toBe("key_service_unavailable");
    expect(await codeOf(seal({ secret: new Uint8Array(SEALED_SECRET_BYTES_MAX + 1) }))).toBe(
      "payload_too_large",
    );
    expect((await core().status()).index).toBe(before.index);
  });
}

function describeRewrapping(core: () => CorePort, read: Read): void {
  it("K3 wraps data keys anew: the same content under the other key, another index and revision", async () => {
    const name = unique();
    const { result } = await sealIn(core(), name, "hunter2");
    const { id } = result.config;
    await versionIn(core(), id, "hunter3");
    const before = [await read(id, 1), await read(id, 2)];
    const scope = { app: "shop", env: "prod", name };
    const head = { idempotency: { scope: `rewrap ${name}`, digest: "d" } };
    const input = rewrapInput({ ...scope, ...head, keys: { shop: "alias/two" } });
    const answer = await core().rewrapKeys(input);
    expect(answer).toMatchObject({ rewrapped: 2, next_cursor: null, replayed: false });
    const after = [await read(id, 1), await read(id, 2)];
    for (const [i, { version, text, config }] of after.entries()) {
      expect(text).toBe(before[i]?.text);
      expect(version.sealed).toEqual({ ...before[i]?.version.sealed, key_id: "alias/two" });
      expect(version.sha256).not.toBe(before[i]?.version.sha256);
      expect(config.revision).toBe(answer.index);
    }
    const old = before[0]?.version.sha256 ?? "";
    expect(await codeOf(core().getBlob({ tenant: "demo", sha256: old }))).toBe("not_found");
    expect(await core().rewrapKeys(input)).toMatchObject({
      rewrapped: 2,
      replayed: true,
      index: answer.index,
    });
    expect(await core().rewrapKeys(rewrapInput(scope))).toMatchObject({ rewrapped: 2, replayed: false });
    expect((await read(id, 2)).version.sealed?.key_id).toBe("alias/one");
  });

  it("K3 a scope without encrypted configs has nothing to do; a key that is not there is refused", async () => {
    expect(await core().rewrapKeys(rewrapInput({ app: "none" }))).toMatchObject({
      rewrapped: 0,
      next_cursor: null,
    });
    const name = unique();
    await sealIn(core(), name, "x");
    const wrong = rewrapInput({ app: "shop", env: "prod", name, keys: { shop: "alias/none" } });
    expect(await codeOf(core().rewrapKeys(wrong))).toBe("key_service_unavailable");
  });

  it("K3 nobody proposes wrapped keys himself", async () => {
    const command = testCommand("rewrap_keys", { resource: "demo/*/*/*", items: [], next_cursor: null });
    expect(await codeOf(core().propose({ command, attachments: [] }))).toBe("forbidden");
  });
}
