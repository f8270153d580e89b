import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { KmsKeyService } from "./kms-key-service.ts";
import { sealContent } from "./seal-content.ts";

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

/** KMS as a server that behaves like `listener`. */
async function kms(listener: RequestListener, deadlineMs: number | null): Promise<KmsKeyService> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => {
    started.listen(0, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: "LOCAL", secretAccessKey: "local" };
  return new KmsKeyService({ url, region: "us-east-1", credentials }, { deadlineMs });
}
const seal = (keys: KmsKeyService) =>
  sealContent(keys, {
    keyId: "alias/one",
    identity: { tenant: "demo", app: "shop", env: "prod", name: "a.json" },
    plaintext: Buffer.from("hunter2"),
  });

describe("K5 a KMS that does not do as it should", () => {
  it("is given up at the deadline when it never answers, whatever the client's own limits are", async () => {
    const keys = await kms(() => undefined, 50);
    const input = { keyId: "alias/one", context: {} };
    await expect(keys.generateDataKey(input)).rejects.toMatchObject({ code: "unavailable" });
    await expect(seal(keys)).rejects.toMatchObject({ code: "key_service_unavailable", retryAfterS: 1 });
  });

  it.each([
    ["ThrottlingException", 1],
    ["KMSInternalException", 1],
    ["AccessDeniedException", 30],
    ["KMSInvalidStateException", 30],
    ["InvalidKeyUsageException", 30],
  ])("%s is key_service_unavailable", async (type, retryAfterS) => {
    const keys = await kms((_request, response) => {
      const status = type === "KMSInternalException" ? 500 : 400;
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
      response.end(JSON.stringify({ __type: type, message: "no" }));
    }, 2_000);
    await expect(seal(keys)).rejects.toMatchObject({ code: "key_service_unavailable", retryAfterS });
  });

  it("is told apart from none at all only by its words", async () => {
    const keys = await kms(() => undefined, 2_000);
    await new Promise((resolve) => server?.close(resolve));
    await expect(seal(keys)).rejects.toMatchObject({ code: "key_service_unavailable", retryAfterS: 1 });
  });
});
