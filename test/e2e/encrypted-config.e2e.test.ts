import { createHash, randomBytes } from "node:crypto";
import { RotateKeyOnDemandCommand } from "@aws-sdk/client-kms";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decryptEnvelope } from "../../sdk/decrypt-envelope.ts";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, type Answer, fetchConfig, watchBySocket } from "../testing/stack-client.ts";
import { openDatabase, openKms, stackDecryptor } from "../testing/stack-keys.ts";

const ENVELOPE = "application/vnd.conflux.envelope+json";
const CONFIGS = "/mgt/configs";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.stop());

const place = { tenant: "demo", app: "shop", env: "prod", format: "json", release: true };
async function create(name: string, content: string, more: object = { encrypt: true }): Promise<Answer> {
  return adminOk(stack, "POST", CONFIGS, { ...place, name, content, ...more });
}
const open = (answer: Pick<Answer, "text">, config: string): Promise<string> =>
  decryptEnvelope({ body: answer.text, config, decryptDataKey: stackDecryptor(stack) }).then((bytes) =>
    Buffer.from(bytes).toString(),
  );
const hashOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;

describe("K1 K4 an encrypted config", () => {
  test("is served as an envelope that its reader opens, and shown as nothing else", async () => {
    const config = "demo/shop/prod/db.json";
    const watcher = await watchBySocket(stack, [config]);
    const { json } = await create("db.json", '{"password":"hunter2"}');
    expect(json).toMatchObject({ encrypted: true });
    const fetched = await fetchConfig(stack, config, { minIndex: String(json["index"]) });
    expect([fetched.status, fetched.headers.get("content-type")]).toEqual([200, ENVELOPE]);
    expect(fetched.headers.get("x-config-hash")).toBe(hashOf(fetched.text));
    expect(fetched.json).toMatchObject({ alg: "A256GCM", context: { name: "db.json" } });
    expect(await open(fetched, config)).toBe('{"password":"hunter2"}');
    const etag = fetched.headers.get("etag") ?? "";
    const again = await fetchConfig(stack, config, { headers: { "if-none-match": etag } });
    expect(again.status).toBe(304);
    await until(() => watcher.messages.find(({ type }) => type === "change"), "the watcher hears of it");
    watcher.close();

    const id = String(json["id"]);
    const content = await admin(stack, "GET", `${CONFIGS}/${id}/versions/1/content`);
    expect(content.headers.get("content-type")).toBe(ENVELOPE);
    expect(content.text).toBe(fetched.text);
    const { json: version } = await adminOk(stack, "GET", `${CONFIGS}/${id}/versions/1`);
    expect(version).toMatchObject({ encrypted: true, key_id: fetched.json["key_id"] });
    expect(version["content_hash"]).not.toBe(hashOf('{"password":"hunter2"}'));
    const list = await adminOk(stack, "GET", `${CONFIGS}?tenant=demo&app=shop&env=prod&name_prefix=db.json`);
    expect(list.json["items"]).toMatchObject([{ encrypted: true }]);
  });

  test("further versions and publishes are sealed too; large ones and batches carry envelopes", async () => {
    const config = "demo/shop/prod/large.json";
    const { json } = await create("large.json", '{"v":1}');
    const id = String(json["id"]);
    // Over what travels inside a document, and over what fits into it with others.
    const large = JSON.stringify({ v: 2, filler: randomBytes(200_000).toString("hex") });
    const published = await adminOk(stack, "POST", `${CONFIGS}/${id}/publish`, {
      content: large,
      strategy: { type: "all" },
    });
    const minIndex = String(published.json["index"]);
    const fetched = await fetchConfig(stack, config, { minIndex });
    expect(fetched.headers.get("x-config-version")).toBe("2");
    expect(fetched.headers.get("x-config-hash")).toBe(hashOf(fetched.text));
    expect(await open(fetched, config)).toBe(large);
    const batch = await fetch(`${stack.dev.edge_url}/api/v1/fetch/batch`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${stack.dev.client_token}`,
        "content-type": "application/json",
        "x-conflux-min-index": minIndex,
      },
      body: JSON.stringify({ configs: [config] }),
    });
    const { items } = (await batch.json()) as { items: { content_type: string; content: string }[] };
    expect(items).toMatchObject([{ status: 200, content_type: ENVELOPE, version: 2 }]);
    expect(await open({ text: items[0]?.content ?? "" }, config)).toBe(large);
  });

  test("its content is checked before it is sealed, and its author hears what is wrong", async () => {
    const schema = { type: "object", properties: { port: { type: "integer" } } };
    const bad = { ...place, name: "checked.json", content: '{"port":"x"}', schema, encrypt: true };
    const answer = await admin(stack, "POST", CONFIGS, bad);
    expect(answer.json).toMatchObject({ code: "validation_failed", errors: [{ path: "/content/port" }] });
  });
});

describe("K3 rotation", () => {
  test("wraps data keys anew: other ETag and index, same version, same content; other applications' keys hold", async () => {
    const config = "demo/shop/prod/rotated.json";
    const { json } = await create("rotated.json", '{"a":1}');
    const before = await fetchConfig(stack, config, { minIndex: String(json["index"]) });
    const kms = openKms(stack);
    await kms.send(new RotateKeyOnDemandCommand({ KeyId: "alias/conflux-configs" }));
    kms.destroy();
    const scope = { tenant: "demo", app: "shop", env: "prod", name: "rotated.json" };
    const { json: answer } = await adminOk(stack, "POST", "/mgt/encryption/rewrap", scope);
    expect(answer).toMatchObject({ rewrapped: 1, resume_cursor: null });
    const after = await fetchConfig(stack, config, { minIndex: String(answer["index"]) });
    expect(after.headers.get("x-config-version")).toBe(before.headers.get("x-config-version"));
    expect(after.headers.get("etag")).not.toBe(before.headers.get("etag"));
    expect(after.json).toEqual({ ...before.json, wrapped_key: after.json["wrapped_key"] });
    expect(after.json["wrapped_key"]).not.toBe(before.json["wrapped_key"]);
    expect(await open(after, config)).toBe('{"a":1}');
    const id = String(json["id"]);
    const { json: config2 } = await adminOk(stack, "GET", `${CONFIGS}/${id}`);
    expect(config2["etag"]).not.toBe(json["etag"]);
    const everything = await adminOk(stack, "POST", "/mgt/encryption/rewrap", { tenant: "demo" });
    expect(everything.json["rewrapped"]).toBeGreaterThan(1);
  });
});

describe("K5 when the key service is not to be had", () => {
  test("an encrypted write is refused with when to come back; all else goes on", async () => {
    const { json } = await create("before.json", '{"a":1}');
    const kms = stack.dev.pids.kms ?? 0;
    process.kill(kms, "SIGSTOP");
    try {
      const body = { ...place, name: "while-away.json", content: "{}", encrypt: true };
      const [refused, plain] = await Promise.all([
        admin(stack, "POST", CONFIGS, body),
        create("plain.json", "{}", {}),
      ]);
      expect([refused.status, refused.json["code"]]).toEqual([503, "key_service_unavailable"]);
      expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
      expect(plain.status).toBe(201);
      const minIndex = String(json["index"]);
      expect((await fetchConfig(stack, "demo/shop/prod/before.json", { minIndex })).status).toBe(200);
    } finally {
      process.kill(kms, "SIGCONT");
    }
    const list = await adminOk(
      stack,
      "GET",
      `${CONFIGS}?tenant=demo&app=shop&env=prod&name_prefix=while-away`,
    );
    expect(list.json["items"]).toEqual([]);
    await create("while-away.json", "{}");
  });

  test("K1 an application's own key is used for it alone, and one that is not there refuses it alone", async () => {
    const sql = openDatabase(stack);
    try {
      await sql`insert into applications (tenant_id, name, kms_key_id) values ('demo', 'bank', 'alias/none')
        on conflict (tenant_id, name) do update set kms_key_id = excluded.kms_key_id`;
      const body = { ...place, app: "bank", name: "own.json", content: "{}", encrypt: true };
      const refused = await admin(stack, "POST", CONFIGS, body);
      expect([refused.status, refused.json["code"]]).toEqual([503, "key_service_unavailable"]);
      await create("not-the-bank.json", "{}");
      await sql`update applications set kms_key_id = 'alias/conflux-token-signing' where name = 'bank'`;
      const { json } = await adminOk(stack, "POST", CONFIGS, body);
      const other = await create("shops.json", "{}");
      const keyOf = async (config: string, index: unknown) =>
        (await fetchConfig(stack, config, { minIndex: String(index) })).json["key_id"];
      const bank = await keyOf("demo/bank/prod/own.json", json["index"]);
      expect(bank).not.toBe(await keyOf("demo/shop/prod/shops.json", other.json["index"]));
    } finally {
      await sql.end();
    }
  });
});
