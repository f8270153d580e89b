import { expect, it } from "vitest";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import type { CoreRewrapInput } from "../../../contracts/encryption/rewrap-api.ts";
import { contentsOfOperation } from "../../../domain/change-request/held-content.ts";
import { testCommand, testConfigPayload, testRule } from "../../../domain/command/testing-commands.ts";
import {
  type GrayColumns,
  grayContentText,
  grayNamespace,
  readGrayContent,
} from "../../../domain/gray-config/gray-content.ts";
import type { KeyService } from "../../kms/key-service.ts";
import { openContent } from "../../kms/testing/open-content.ts";
import { sha256Of, unique, utf8 } from "./core-conformance.ts";

/** A tenant of a test's own with something sealed wherever a core keeps envelopes, and nothing else. */
class SealedTenant {
  readonly tenant = `t-${unique()}`;
  readonly source = unique();
  readonly secret = unique();
  sourceId = "";
  secretId = "";
  requestId = "";
  readonly #core: CorePort;
  readonly #keys: KeyService;

  constructor(core: CorePort, keys: KeyService) {
    this.#core = core;
    this.#keys = keys;
  }

  async fill(): Promise<void> {
    const core = this.#core;
    const head = { tenant: this.tenant };
    // A data source whose first version is published and whose draft has another secret.
    const first = await this.#content("one", { source_group: "ä" });
    const payload = testConfigPayload(this.source, await sha256Of(first), {
      namespace: grayNamespace(this.tenant, "data-source"),
      releases: [testRule(1)],
    });
    const made = await core.propose({
      command: testCommand("create_config", payload, head),
      attachments: [first],
    });
    this.sourceId = made.result.config.id;
    await this.writeDraft(await this.#content("two", {}));
    // An encrypted config, and a change of it that others are to approve.
    const [plain, next] = [utf8("three"), utf8("four")];
    const secret = testConfigPayload(this.secret, await sha256Of(plain), {
      namespace: { tenant: this.tenant, app: "shop", env: "prod" },
      encrypted: true,
    });
    const seal = { key_id: null };
    const created = await core.propose({
      command: testCommand("create_config", secret, head),
      attachments: [plain],
      seal,
    });
    const { id, revision } = created.result.config;
    this.secretId = id;
    const content = { attachment: 0, sha256: await sha256Of(next) };
    const operation = {
      kind: "create_version" as const,
      payload: { config_id: id, content, format: null, schema: null, description: "" },
    };
    const asked = { config_id: id, config_revision: revision, operation, description: "" };
    const request = await core.propose({
      command: testCommand("request_change", asked, head),
      attachments: [next],
      seal,
    });
    this.requestId = request.result.request.id;
  }

  /** A data source's content with this secret. */
  async #content(secret: string, columns: GrayColumns): Promise<Uint8Array> {
    const identity = { ...grayNamespace(this.tenant, "data-source"), name: this.source };
    const envelope = await this.#core.sealSecret({ identity, key_id: null, secret: utf8(secret) });
    const sealedSecret = JSON.parse(Buffer.from(envelope).toString()) as Record<string, unknown>;
    return utf8(
      grayContentText("data-source", { columns: { source: this.source, ...columns }, sealedSecret }),
    );
  }

  async writeDraft(bytes: Uint8Array): Promise<void> {
    const content = { attachment: 0, sha256: await sha256Of(bytes) };
    const payload = { config_id: this.sourceId, content, description: "" };
    const command = testCommand("write_draft", payload, { tenant: this.tenant });
    await this.#core.propose({ command, attachments: [bytes] });
  }

  /** What a version of the data source holds beside its secret. */
  async columns(version: number): Promise<GrayColumns | undefined> {
    return readGrayContent("data-source", await this.#text(this.sourceId, version))?.columns;
  }

  /** Everything that is sealed, opened, and the key that wraps it now. */
  async opened(): Promise<[string, unknown][]> {
    const { request } = await this.#core.getChangeRequest(this.requestId);
    const [held] = contentsOfOperation(request.operation);
    const parts = [1, 2].map(async (version) => {
      const content = readGrayContent("data-source", await this.#text(this.sourceId, version));
      return JSON.stringify(content?.sealedSecret);
    });
    const bodies = [
      ...(await Promise.all(parts)),
      await this.#text(this.secretId, 1),
      await this.#blob(held?.sha256 ?? ""),
    ];
    return Promise.all(
      bodies.map(async (body): Promise<[string, unknown]> => [
        await openContent(this.#keys, body),
        (JSON.parse(body) as Record<string, unknown>)["key_id"],
      ]),
    );
  }

  async #text(configId: string, version: number): Promise<string> {
    const found = await this.#core.getVersion({ config_id: configId, version_id: version });
    return this.#blob(found.version.sha256);
  }

  async #blob(sha256: string): Promise<string> {
    const bytes = await this.#core.getBlob({ tenant: this.tenant, sha256 });
    expect(await sha256Of(bytes)).toBe(sha256);
    return Buffer.from(bytes).toString();
  }
}

export function describeRewrappingEverywhere(core: () => CorePort, keys: KeyService): void {
  const sealed = (key: string): [string, string][] =>
    ["one", "two", "three", "four"].map((text) => [text, key]);
  const input = ({ tenant }: SealedTenant, more: Partial<CoreRewrapInput> = {}): CoreRewrapInput => {
    const { actor, ip, trace_id } = testCommand("delete_config", { config_id: "x" });
    const to = { gray: "alias/two", shop: "alias/two" };
    return { tenant, cursor: null, keys: to, head: { actor, ip, trace_id }, ...more };
  };

  it("K3 P7 C14 reaches secrets inside typed configs, of drafts too, and what change requests hold", async () => {
    const of = new SealedTenant(core(), keys);
    await of.fill();
    expect(await of.opened()).toEqual(sealed("alias/one"));
    const before = await Promise.all([1, 2].map((version) => of.columns(version)));
    const request = (await core().getChangeRequest(of.requestId)).request;

    const answer = await core().rewrapKeys(input(of));
    expect(answer).toMatchObject({ rewrapped: 4, next_cursor: null });
    expect(await of.opened()).toEqual(sealed("alias/two"));
    // Columns, times and numbers of versions are what they were.
    expect(await Promise.all([1, 2].map((version) => of.columns(version)))).toEqual(before);
    const { config } = await core().getConfig(of.sourceId);
    expect([config.latest_version_id, config.revision]).toEqual([2, answer.index]);
    const after = (await core().getChangeRequest(of.requestId)).request;
    expect([after.digest === request.digest, after.revision]).toEqual([false, answer.index]);
    // The edge is told of the version that it serves.
    const { entries } = await core().feed({ after: answer.index - 1, limit: 1, wait_ms: 0, view: "full" });
    const told = entries[0]?.events.find((event) => "config_id" in event && event.config_id === of.sourceId);
    const { version } = await core().getVersion({ config_id: of.sourceId, version_id: 1 });
    expect(told).toMatchObject({ variants: [{ version_id: 1, sha256: version.sha256 }] });

    // And back: the same again, under the default key.
    expect((await core().rewrapKeys(input(of, { keys: {} }))).rewrapped).toBe(4);
    expect(await of.opened()).toEqual(sealed("alias/one"));
  });

  it("K3 P7 goes by the scope: an application's, or one config's, and goes on behind a cursor", async () => {
    const of = new SealedTenant(core(), keys);
    await of.fill();
    const rewrapped = async (scope: Partial<CoreRewrapInput>): Promise<number> =>
      (await core().rewrapKeys(input(of, scope))).rewrapped;
    expect(await rewrapped({ app: "gray" })).toBe(2);
    expect((await of.opened()).map(([, key]) => key)).toEqual([
      "alias/two",
      "alias/two",
      "alias/one",
      "alias/one",
    ]);
    expect(await rewrapped({ app: "shop", env: "prod", name: of.secret })).toBe(2);
    expect(await rewrapped({ app: "gray", env: "data-source", name: "other" })).toBe(0);
    expect(await rewrapped({ app: "gray", cursor: `gray/data-source/${of.source}@1` })).toBe(1);
    const { request } = await core().getChangeRequest(of.requestId);
    expect(await rewrapped({ cursor: `change-requests@${request.created_index}.0` })).toBe(1);
    expect(await rewrapped({ cursor: `change-requests@${request.created_index}.1` })).toBe(0);
  });
}
