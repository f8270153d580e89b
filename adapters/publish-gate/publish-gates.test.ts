import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { WEBHOOK_ANSWER_BYTES_MAX } from "../../contracts/publish/webhook-api.ts";
import type { GateOutcome, PublishGate, WebhookGate } from "../../domain/publish/publish-gate.ts";
import type { DeliveryCounts } from "../../domain/publish/judge-delivery.ts";
import { MemoryPublishGate } from "../memory/memory-publish-gate.ts";
import { createApprovalGate } from "./approval-gate.ts";
import { createDeliveryGate } from "./delivery-gate.ts";
import { openGateSecret, sealGateSecret } from "./gate-secret.ts";
import { postWebhook } from "./post-webhook.ts";
import { isPublicAddress } from "./public-address.ts";
import { gateQuestion, publishGateConformance } from "./testing/publish-gate-conformance.ts";
import { createWebhookGate, signedRequest } from "./webhook-gate.ts";

const SERVICE_KEY = "a service key of at least thirty-two bytes";
const SECRET = "correct horse battery";
const OWNER = { tenant: "demo", config_id: "cfg-c1-1" };
const NOW_MS = Date.UTC(2026, 2, 4);

let server: Server;
let url: string;
/** What the service of the tenant does with a request. */
let serve: (request: IncomingMessage, body: string, answer: Parameters<RequestListener>[1]) => void;
beforeAll(async () => {
  server = createServer((request, answer) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => serve(request, body, answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gate`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
const answering =
  (status: number, body: unknown): typeof serve =>
  (_request, _body, answer) =>
    answer.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));

const webhook = async (at = url): Promise<WebhookGate> => ({
  type: "webhook",
  url: at,
  secret: await sealGateSecret(SERVICE_KEY, { owner: OWNER, secret: SECRET }),
  on_fail: "pause",
});
const webhookGate = (timeoutMs?: number) =>
  createWebhookGate({
    post: (request) => postWebhook({ allowLocal: true, ...(timeoutMs && { timeoutMs }) }, request),
    serviceKey: SERVICE_KEY,
    nowMs: () => NOW_MS,
  });

describe("in memory", () => {
  const gate: PublishGate = { type: "approval", approvers: 1 };
  publishGateConformance(async () => {
    let outcome: GateOutcome = { verdict: "holds" };
    const say = (next: GateOutcome) => async () => {
      outcome = next;
      return gateQuestion(gate);
    };
    return {
      port: new MemoryPublishGate(() => outcome),
      bringTo: {
        holds: say({ verdict: "holds" }),
        waits: say({ verdict: "waits", reason: "w\n".repeat(1000) }),
        fails: say({ verdict: "fails", reason: "no" }),
      },
      cutOff: null,
    };
  });
});

describe("by approval", () => {
  const gate = { type: "approval" as const, approvers: 2 };
  const by = (id: string) => ({ by: { type: "user" as const, id, name: id }, at_ms: 1, comment: "" });
  publishGateConformance(async () => ({
    port: createApprovalGate(),
    bringTo: {
      holds: async () => gateQuestion(gate, { approvals: [by("a"), by("b")] }),
      waits: async () => gateQuestion(gate, { approvals: [by("a")] }),
      fails: null,
    },
    cutOff: null,
  }));
});

describe("by delivery reports", () => {
  const gate = {
    type: "delivery_reports" as const,
    max_error_percent: 1,
    sample_min: 10,
    on_fail: "abort" as const,
  };
  publishGateConformance(async () => {
    let counts: DeliveryCounts | null = null;
    const given = (clients: number, failing: number) => async () => {
      counts = { withVersion: { clients, failing }, others: { clients: 100, failing: 0 } };
      return gateQuestion(gate);
    };
    return {
      port: createDeliveryGate(async () => {
        if (counts === null) throw new ConfluxError("unavailable", "The database does not answer.");
        return counts;
      }),
      bringTo: { holds: given(10, 0), waits: given(9, 9), fails: given(10, 1) },
      cutOff: async () => gateQuestion(gate),
    };
  });
});

describe("by webhook", () => {
  publishGateConformance(async () => ({
    port: webhookGate(),
    bringTo: {
      holds: async () => {
        serve = answering(200, { decision: "yes", reason: "ignored" });
        return gateQuestion(await webhook());
      },
      waits: async () => {
        serve = answering(200, { decision: "wait", reason: "smoke tests run" });
        return gateQuestion(await webhook());
      },
      fails: async () => {
        serve = answering(200, { decision: "no", reason: `smoke\ntests ${"failed ".repeat(100)}` });
        return gateQuestion(await webhook());
      },
    },
    cutOff: async () => gateQuestion(await webhook("http://127.0.0.1:1/")),
  }));

  it("P7 is signed with the secret over id, time and body, as Standard Webhooks has it", async () => {
    const seen = Promise.withResolvers<{ headers: IncomingMessage["headers"]; body: string }>();
    serve = ({ headers }, body, answer) => {
      seen.resolve({ headers, body });
      answer.end('{"decision":"yes"}');
    };
    await webhookGate().check(gateQuestion(await webhook()));
    const { headers, body } = await seen.promise;
    const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
    const wanted = createHmac("sha256", SECRET).update(signed).digest("base64");
    expect(headers["webhook-signature"]).toBe(`v1,${wanted}`);
    expect(headers["webhook-timestamp"]).toBe(String(NOW_MS / 1000));
    expect(JSON.parse(body)).toMatchObject({
      type: "publish.gate",
      data: {
        publish_id: "pub-c1-1-2",
        config_id: "cfg-c1-1",
        version_id: 2,
        stage: "first",
        stage_number: 1,
      },
    });
    expect(JSON.stringify(headers) + body).not.toContain(SECRET);
  });

  it("P7 the key of a secret that begins with whsec_ is the base64 after that", async () => {
    const key = Buffer.from("these are twenty-four by");
    const { headers, body } = signedRequest(
      gateQuestion(await webhook()),
      `whsec_${key.toString("base64")}`,
      NOW_MS,
    );
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    expect(headers["webhook-signature"]).toBe(
      `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
    );
  });

  it.each([
    ["an error", answering(500, "oops"), "it answered 500"],
    ["a redirect, which is not followed", answering(307, ""), "it answered 307"],
    ["no JSON", answering(200, "yes"), "something else"],
    ["another word", answering(200, { decision: "maybe" }), "something else"],
    ["too much", answering(200, "x".repeat(WEBHOOK_ANSWER_BYTES_MAX + 1)), "more than"],
    ["nothing", (request: IncomingMessage) => void request.socket.destroy(), "cannot be reached"],
  ] as [string, typeof serve, string][])("P5 waits for an answer of %s", async (_what, serving, reason) => {
    serve = serving;
    const outcome = await webhookGate().check(gateQuestion(await webhook()));
    expect(outcome).toEqual({ verdict: "waits", reason: expect.stringContaining(reason) as string });
  });

  it("P5 waits for one that never ends", async () => {
    serve = (_request, _body, answer) => void answer.writeHead(200).write(" ");
    const outcome = await webhookGate(50).check(gateQuestion(await webhook()));
    expect(outcome).toMatchObject({ verdict: "waits", reason: "no answer within 50 ms" });
  });

  it("P7 waits when its secret does not open, and asks nobody", async () => {
    serve = () => expect.unreachable();
    const gate = { ...(await webhook()), secret: "v1.AAAA" };
    expect(await webhookGate().check(gateQuestion(gate))).toMatchObject({ verdict: "waits" });
  });
});

describe("P7 no webhook leads into our own network", () => {
  const request = { headers: {}, body: "{}" };
  const resolving = (...addresses: string[]) => ({
    allowLocal: false,
    resolve: async () => addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
  });

  it.each([
    ["plain HTTP", "http://example.com/"],
    ["another scheme", "file:///etc/passwd"],
    ["no address", "example"],
    ["a password", "https://a:b@example.com/"],
  ])("%s", async (_what, at) => {
    expect(await postWebhook(resolving("93.184.216.34"), { url: at, ...request })).toMatchObject({
      ok: false,
    });
  });

  it.each([
    ["127.0.0.1"],
    ["10.40.0.7"],
    ["172.31.0.1"],
    ["192.168.1.1"],
    ["169.254.169.254"],
    ["100.64.0.1"],
    ["0.0.0.0"],
    ["224.0.0.1"],
    ["::1"],
    ["fd00:ec2::254"],
    ["fe80::1"],
    ["::ffff:10.0.0.1"],
    ["64:ff9b::a00:1"],
    ["2002:a00:1::"],
  ])("a name that is %s, alone or beside a public one", async (address) => {
    expect(isPublicAddress(address)).toBe(false);
    for (const addresses of [[address], ["93.184.216.34", address]]) {
      const reply = await postWebhook(resolving(...addresses), { url: "https://gate.example/", ...request });
      expect(reply).toEqual({ ok: false, reason: "its address is not a public one" });
    }
  });

  it.each(["https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/"])(
    "an address that is written out: %s",
    async (at) => {
      const reply = await postWebhook({ allowLocal: false }, { url: at, ...request });
      expect(reply).toEqual({ ok: false, reason: "its address is not a public one" });
    },
  );

  it("and the connection goes to the address that was looked at, however the name is resolved by then", async () => {
    serve = answering(200, { decision: "yes" });
    const at = url.replace("127.0.0.1", "gate.invalid");
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return [{ address: "127.0.0.1", family: 4 }];
    };
    const reply = await postWebhook({ allowLocal: true, resolve }, { url: at, ...request });
    expect([reply, asked]).toEqual([expect.objectContaining({ ok: true, status: 200 }), 1]);
  });

  it.each(["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111"])("%s is fine", (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe("P7 a sealed secret", () => {
  it("opens for its own config under the same key, and for nothing else", async () => {
    const sealed = await sealGateSecret(SERVICE_KEY, { owner: OWNER, secret: SECRET });
    expect(sealed).not.toContain(SECRET);
    expect(await sealGateSecret(SERVICE_KEY, { owner: OWNER, secret: SECRET })).not.toBe(sealed);
    expect(await openGateSecret(SERVICE_KEY, { owner: OWNER, sealed })).toBe(SECRET);
    const wrong = [
      [`${SERVICE_KEY}!`, OWNER, sealed],
      [SERVICE_KEY, { ...OWNER, config_id: "cfg-c1-2" }, sealed],
      [SERVICE_KEY, { ...OWNER, tenant: "other" }, sealed],
      [SERVICE_KEY, OWNER, sealed.slice(0, -2)],
      [SERVICE_KEY, OWNER, SECRET],
      [SERVICE_KEY, OWNER, "v1.?"],
    ] as const;
    for (const [key, owner, text] of wrong)
      expect(await openGateSecret(key, { owner, sealed: text })).toBe(null);
  });
});
