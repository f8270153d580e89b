import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  ListKeysCommand,
  ReEncryptCommand,
  RotateKeyOnDemandCommand,
} from "@aws-sdk/client-kms";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AwsEndpoint, clientOptions } from "../adapters/aws/aws-endpoint.ts";
import { KmsKeyService } from "../adapters/kms/kms-key-service.ts";
import { keyServiceConformance } from "../adapters/kms/testing/key-service-conformance.ts";
import { Keyring } from "./kms-keyring.ts";
import { createKmsServer } from "./kms-server.ts";

const ALIASES = ["alias/one", "alias/two"];
let dir: string;
let path: string;
let server: Server;
let endpoint: AwsEndpoint;
let client: KMSClient;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "conflux-kms-"));
  path = join(dir, "keys.json");
  await listen();
});
afterEach(async () => {
  await close();
  rmSync(dir, { recursive: true });
});

async function listen(): Promise<void> {
  server = createKmsServer(new Keyring({ path, aliases: ALIASES, nowMs: Date.now }), "LOCALTESTKEY");
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  endpoint = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "LOCALTESTKEY", secretAccessKey: "local" },
  };
  client = new KMSClient(clientOptions(endpoint));
}
async function close(): Promise<void> {
  client.destroy();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}

const EncryptionContext = { b: "2", a: "1" };
const Plaintext = Buffer.from("secret");
const encrypt = () => client.send(new EncryptCommand({ KeyId: "alias/one", Plaintext, EncryptionContext }));
const decrypt = (CiphertextBlob: Uint8Array | undefined, more: object = {}) =>
  client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: "1", b: "2" }, ...more }));

describe("K2 the SDK's key service against the local KMS", () => {
  keyServiceConformance(() => new KmsKeyService(endpoint), { one: "alias/one", two: "alias/two" });

  test("a KMS that is away is unavailable, and a caller it does not know is refused", async () => {
    const away = new KmsKeyService({ ...endpoint, url: "http://127.0.0.1:1" });
    const input = { keyId: "alias/one", context: {} };
    await expect(away.generateDataKey(input)).rejects.toMatchObject({ code: "unavailable" });
    const credentials = { accessKeyId: "ANOTHERUSER1", secretAccessKey: "local" };
    const stranger = new KmsKeyService({ ...endpoint, credentials });
    await expect(stranger.generateDataKey(input)).rejects.toMatchObject({
      name: "UnrecognizedClientException",
    });
  });
});

describe("the local KMS, called by the SDK", () => {
  test("Encrypt and Decrypt, with and without naming the key", async () => {
    const { CiphertextBlob, KeyId } = await encrypt();
    expect(KeyId).toMatch(/^arn:aws:kms:us-east-1:000000000000:key\/[0-9a-f-]{36}$/);
    for (const named of [undefined, "alias/one", KeyId, KeyId?.split("/")[1]]) {
      const opened = await decrypt(CiphertextBlob, { KeyId: named });
      expect([Buffer.from(opened.Plaintext ?? []), opened.KeyId]).toEqual([Plaintext, KeyId]);
    }
    await expect(decrypt(CiphertextBlob, { KeyId: "alias/two" })).rejects.toMatchObject({
      name: "IncorrectKeyException",
    });
  });

  test("K3 after a rotation old ciphertexts open, and new ones are of the new version", async () => {
    const before = await encrypt();
    await client.send(new RotateKeyOnDemandCommand({ KeyId: "alias/one" }));
    const after = await encrypt();
    const versionOf = (blob: Uint8Array | undefined) => Buffer.from(blob ?? []).readUInt32BE(17);
    expect([versionOf(before.CiphertextBlob), versionOf(after.CiphertextBlob)]).toEqual([1, 2]);
    for (const { CiphertextBlob } of [before, after]) {
      expect(Buffer.from((await decrypt(CiphertextBlob)).Plaintext ?? [])).toEqual(Plaintext);
    }
    const forged = Buffer.from(before.CiphertextBlob ?? []);
    forged.writeUInt32BE(2, 17);
    await expect(decrypt(forged)).rejects.toMatchObject({ name: "InvalidCiphertextException" });
  });

  test("K3 ReEncrypt moves to another key and context without showing the plaintext", async () => {
    const { CiphertextBlob } = await encrypt();
    const moved = await client.send(
      new ReEncryptCommand({
        CiphertextBlob,
        SourceEncryptionContext: EncryptionContext,
        DestinationKeyId: "alias/two",
        DestinationEncryptionContext: { c: "3" },
      }),
    );
    expect(JSON.stringify(moved)).not.toContain("Plaintext");
    const opened = await decrypt(moved.CiphertextBlob, { EncryptionContext: { c: "3" }, KeyId: "alias/two" });
    expect(Buffer.from(opened.Plaintext ?? [])).toEqual(Plaintext);
    await expect(decrypt(moved.CiphertextBlob)).rejects.toMatchObject({ name: "InvalidCiphertextException" });
  });

  test("DescribeKey, and data keys of every size", async () => {
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: "alias/one" }));
    expect(KeyMetadata).toMatchObject({ Enabled: true, KeyState: "Enabled", KeySpec: "SYMMETRIC_DEFAULT" });
    expect(KeyMetadata?.CreationDate).toBeInstanceOf(Date);
    const sizes = [{ KeySpec: "AES_128" as const }, { KeySpec: "AES_256" as const }, { NumberOfBytes: 64 }];
    const made = await Promise.all(
      sizes.map((size) => client.send(new GenerateDataKeyCommand({ KeyId: "alias/one", ...size }))),
    );
    expect(made.map((key) => key.Plaintext?.byteLength)).toEqual([16, 32, 64]);
  });

  test.each([
    ["more plaintext than KMS takes", { Plaintext: Buffer.alloc(4097) }, "ValidationException"],
    ["no plaintext", { Plaintext: Buffer.alloc(0) }, "ValidationException"],
    ["a key of another account", { KeyId: "arn:aws:kms:us-east-1:1:key/x" }, "NotFoundException"],
  ])("%s is refused", async (_name, change, name) => {
    const command = new EncryptCommand({ KeyId: "alias/one", Plaintext, ...change });
    await expect(client.send(command)).rejects.toMatchObject({ name, $fault: "client" });
  });

  test("what it does not do it says so, and no refusal quotes a value", async () => {
    await expect(client.send(new ListKeysCommand({}))).rejects.toMatchObject({
      name: "UnknownOperationException",
    });
    const authorization = "AWS4-HMAC-SHA256 Credential=LOCALTESTKEY/x";
    const call = (body: string, headers: Record<string, string> = {}) =>
      fetch(endpoint.url ?? "", {
        method: "POST",
        body,
        headers: { authorization, "x-amz-target": "TrentService.Encrypt", ...headers },
      });
    for (const [body, type] of [
      ['{"KeyId":"alias/one","Plaintext":"not base64!"}', "ValidationException"],
      ['{"Plaintext":"not base64!', "SerializationException"],
    ] as const) {
      const answer = await call(body);
      const text = await answer.text();
      expect([answer.status, JSON.parse(text)]).toMatchObject([400, { __type: type }]);
      expect(text).not.toContain("not base64");
    }
    expect((await call("{}", { authorization: "" })).status).toBe(400);
  });
});

describe("the keys of the local KMS", () => {
  test("are kept for their owner alone, and open what they wrapped after a restart", async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { CiphertextBlob } = await encrypt();
    const kept = readFileSync(path, "utf8");
    await close();
    await listen();
    expect(readFileSync(path, "utf8")).toBe(kept);
    expect(Buffer.from((await decrypt(CiphertextBlob)).Plaintext ?? [])).toEqual(Plaintext);
  });

  test.each(["", "{", '{"keys":[{"key_id":"x"}]}'])("a damaged file (%s) is refused and left", (text) => {
    const damaged = join(dir, "damaged.json");
    writeFileSync(damaged, text);
    expect(() => new Keyring({ path: damaged, aliases: ALIASES, nowMs: Date.now })).toThrow(/is damaged/);
    expect(readFileSync(damaged, "utf8")).toBe(text);
  });
});
