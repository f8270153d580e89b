import { beforeEach, describe, expect, it } from "vitest";
import { openGateSecret } from "../../adapters/publish-gate/gate-secret.ts";
import { testCommand } from "../../domain/command/testing-commands.ts";
import type { GateOutcome } from "../../domain/publish/publish-gate.ts";
import { newConfig, readProblem, TEST_GATE_KEY, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
const PUBLISHES = "/api/v1/mgt/publishes";
const SECRET = "a secret that both of us know";
const WEBHOOK = { type: "webhook", url: "https://gate.example/ask", secret: SECRET, on_fail: "abort" };
const APPROVAL = { type: "approval" };
const REPORTS = { type: "delivery_reports", max_error_percent: 2, sample_min: 50 };
type Json = Record<string, unknown>;

let admin: TestingAdmin;
let config: string;
let configId: string;
beforeEach(async () => {
  admin = testingAdmin();
  const created = await admin.send("POST", CONFIGS, newConfig({ release: true }));
  configId = (await created.json<{ id: string }>()).id;
  config = `${CONFIGS}/${configId}`;
});
const as = (name: string) => ({ authorization: `Bearer ${name}` });
const body = (...gates: Json[]): Json => ({
  content: '{"retries": 3}',
  strategy: { type: "staged", stages: [{ name: "first", regions: ["cn-chengdu"], bake_minutes: 10, gates }] },
});
async function start(...gates: Json[]): Promise<string> {
  const answer = await admin.send("POST", `${config}/publish`, body(...gates));
  const json = await answer.json<Json>();
  expect([answer.status, json]).toEqual([202, json]);
  return String(json["publish_id"]);
}
const move = (id: string, verb: string, sent?: unknown, name = "admin") =>
  admin.send("POST", `${PUBLISHES}/${id}/${verb}`, sent, as(name));
const get = async (id: string): Promise<Json> => (await admin.send("GET", `${PUBLISHES}/${id}`)).json<Json>();
const codeOf = async (answer: Response): Promise<string> =>
  answer.ok ? "done" : (await readProblem(answer)).code;
/** As publish-stage tells the log. */
const report = (publish_id: string, ...outcomes: GateOutcome[]) =>
  admin.core.propose({
    command: testCommand("report_gates", { publish_id, expected_stage: 1, outcomes }),
    attachments: [],
  });

describe("P4 P7 gates of a stage", () => {
  it("are shown with what they say, and the secret nowhere: neither in answers nor in log, feed or audit", async () => {
    const id = await start(WEBHOOK, APPROVAL, REPORTS);
    const view = await get(id);
    expect(view).toMatchObject({
      stopped_by: null,
      stages: [
        {
          gates: [
            {
              type: "webhook",
              url: WEBHOOK.url,
              on_fail: "abort",
              verdict: "waits",
              reason: "not asked yet",
            },
            { type: "approval", approvers: 1, verdict: "waits", reason: "0 of 1 approvals" },
            { type: "delivery_reports", on_fail: "pause", verdict: "waits" },
          ],
          approvals: [],
        },
      ],
    });
    const { publish } = await admin.core.getPublish(id);
    const gate = publish.stages[0]?.gates?.[0];
    const sealed = gate?.type === "webhook" ? gate.secret : "";
    const owner = { tenant: "demo", config_id: configId };
    expect(await openGateSecret(TEST_GATE_KEY, { owner, sealed })).toBe(SECRET);
    const list = await (await admin.send("GET", `${config}/publishes`)).text();
    const { entries } = await admin.core.feed({ after: 0, limit: 9, wait_ms: 0, view: "full" });
    const rows = admin.core.state.rows().map(({ value }) => String(value));
    expect(JSON.stringify([view, entries, rows, admin.logs]) + list).not.toContain(SECRET);
    expect(JSON.stringify([view, entries]) + list).not.toContain(sealed);
    expect(JSON.stringify(rows)).toContain(sealed);
  });

  it("C14 nor in a change request for such a plan", async () => {
    const requests = "/api/v1/mgt/change-requests";
    const asked = await admin.send("POST", requests, {
      config_id: configId,
      operation: { type: "publish", publish: { ...body(WEBHOOK), description: "" } },
    });
    const { id } = await asked.json<{ id: string }>();
    const text = await (await admin.send("GET", `${requests}/${id}`)).text();
    expect(text).toContain(WEBHOOK.url);
    const rows = admin.core.state.rows().map(({ value }) => String(value));
    expect(JSON.stringify(rows)).toContain('\\"secret\\":\\"v1.');
    expect(JSON.stringify(rows) + text).not.toContain(SECRET);
    expect(text).not.toContain('"secret"');
  });

  it("hold a dry run back from nothing", async () => {
    const preview = await admin.send("POST", `${config}/publish?dry_run=true`, body(WEBHOOK, APPROVAL));
    expect(await preview.json()).toMatchObject({
      steps: [{ status: "before" }, { status: "stage1" }, { status: "full" }],
    });
  });

  it.each([
    ["an unknown type", { type: "moon" }, "/strategy/stages/0/gates/0/type"],
    ["a short secret", { ...WEBHOOK, secret: "short" }, "/strategy/stages/0/gates/0/secret"],
    ["no secret", { ...WEBHOOK, secret: undefined }, "/strategy/stages/0/gates/0/secret"],
    ["plain HTTP", { ...WEBHOOK, url: "http://gate.example/" }, "/strategy/stages/0/gates/0/url"],
    ["a password", { ...WEBHOOK, url: "https://a:b@gate.example/" }, "/strategy/stages/0/gates/0/url"],
    ["no host", { ...WEBHOOK, url: "https://[::1" }, "/strategy/stages/0/gates/0/url"],
    ["no port", { ...WEBHOOK, url: "https://gate.example:99999/" }, "/strategy/stages/0/gates/0/url"],
    ["a backslash", { ...WEBHOOK, url: "https://gate\\.example/" }, "/strategy/stages/0/gates/0/url"],
    [
      "a key that decodes to nothing",
      { ...WEBHOOK, secret: `whsec_${"!".repeat(20)}` },
      "/strategy/stages/0/gates/0/secret",
    ],
    [
      "a key of too few bytes",
      { ...WEBHOOK, secret: `whsec_${btoa("15 bytes long..")}` },
      "/strategy/stages/0/gates/0/secret",
    ],
    [
      "a secret that is not ASCII",
      { ...WEBHOOK, secret: "\u754c".repeat(256) },
      "/strategy/stages/0/gates/0/secret",
    ],
    ["no number", { ...REPORTS, sample_min: "1" }, "/strategy/stages/0/gates/0/sample_min"],
    ["an unknown field", { ...APPROVAL, people: 2 }, "/strategy/stages/0/gates/0/people"],
  ])("with %s are refused, and say where", async (_what, gate, path) => {
    const problem = await readProblem(await admin.send("POST", `${config}/publish`, body(gate)));
    expect([problem.code, problem.errors.map((error) => error.path)]).toEqual(["validation_failed", [path]]);
  });
});

it.each([16, 17, 18, 24, 64, 186])(
  "P7 takes a key of %i bytes in base64, with and without padding",
  async (bytes) => {
    const key = Buffer.alloc(bytes, 7).toString("base64");
    for (const text of [key, key.replaceAll("=", "")]) {
      const sent = body({ ...WEBHOOK, secret: `whsec_${text}` });
      expect((await admin.send("POST", `${config}/publish?abort_plan=true`, sent)).status).toBe(202);
    }
  },
);

describe("P4 advancing by hand past gates", () => {
  it("is refused, but with skip_gates, a reason and the permission approve", async () => {
    const id = await start(WEBHOOK);
    const refused = await readProblem(await move(id, "advance"));
    expect([refused.code, refused.detail]).toEqual([
      "conflict",
      expect.stringContaining("not asked yet") as string,
    ]);
    expect(await codeOf(await move(id, "advance?skip_gates=true"))).toBe("validation_failed");
    expect(await codeOf(await move(id, "advance", { reason: "why" }))).toBe("validation_failed");
    const reason = "the service is down, we tested by hand";
    expect(await codeOf(await move(id, "advance?skip_gates=true", { reason }, "publisher"))).toBe(
      "forbidden",
    );
    const done = await move(id, "advance?skip_gates=true", { reason });
    expect(await done.json()).toMatchObject({
      status: "full",
      stages: [{ gates_skipped: { by: { id: "user-admin", name: "admin" }, reason } }],
    });
  });

  it("is not for the plan's creator while the stage waits for the approval of others", async () => {
    const id = await start(WEBHOOK, APPROVAL);
    const reason = "nobody else is awake";
    expect(await codeOf(await move(id, "advance?skip_gates=true", { reason }))).toBe("forbidden");
    await move(id, "pause");
    expect(await codeOf(await move(id, "resume?skip_gates=true", { reason }))).toBe("forbidden");
    await move(id, "resume");
    await move(id, "approve", undefined, "approver");
    // The word of others is there: what is passed by now is a machine's.
    expect(await codeOf(await move(id, "advance?skip_gates=true", { reason }))).toBe("done");
  });

  it("is not for the plan's creator either who asks for it of a stage that the plan is about to reach", async () => {
    const stages = [
      { name: "first", regions: ["cn-chengdu"], bake_minutes: 10 },
      { name: "second", regions: ["us-east-1"], gates: [APPROVAL] },
    ];
    const sent = { content: '{"retries": 3}', strategy: { type: "staged", stages } };
    const begun = await admin.send("POST", `${config}/publish`, sent);
    const id = String((await begun.json<Json>())["publish_id"]);
    const early = { reason: "nobody else is awake", expected_stage: 2 };
    expect(await codeOf(await move(id, "advance?skip_gates=true", early))).toBe("forbidden");
    expect(await codeOf(await move(id, "advance?skip_gates=true", early, "tenant"))).toBe(
      "invalid_transition",
    );
  });

  it("is fine for another person who may approve, though nobody has", async () => {
    const id = await start(APPROVAL);
    const reason = "I have seen it, and its creator is away";
    expect(await codeOf(await move(id, "advance?skip_gates=true", { reason }, "tenant"))).toBe("done");
  });

  it("is fine when they held", async () => {
    const id = await start(WEBHOOK);
    await report(id, { verdict: "holds" });
    expect(await (await move(id, "advance")).json()).toMatchObject({ status: "full" });
  });

  it("P5 a plan that a gate has paused says why, and is resumed without its gates by the same rule", async () => {
    const id = await start({ ...WEBHOOK, on_fail: "pause" });
    await report(id, { verdict: "fails", reason: "smoke tests failed" });
    expect(await get(id)).toMatchObject({
      status: "paused",
      stopped_by: { gate: "webhook", reason: "smoke tests failed" },
      pause: { on_timeout: "abort" },
      stages: [{ gates: [{ verdict: "fails", reason: "smoke tests failed" }] }],
    });
    const reason = "a known flake";
    expect(await codeOf(await move(id, "resume?skip_gates=true", { reason }, "publisher"))).toBe("forbidden");
    const resumed = await move(id, "resume?skip_gates=true", { reason });
    expect(await resumed.json()).toMatchObject({ status: "stage1", stopped_by: null });
    expect(await codeOf(await move(id, "advance"))).toBe("done");
  });
});

describe("P4 A4 approval of a stage", () => {
  it("is of another person than the creator, who may approve, once", async () => {
    const id = await start(APPROVAL);
    expect(await codeOf(await move(id, "approve"))).toBe("forbidden");
    expect(await codeOf(await move(id, "approve", undefined, "publisher"))).toBe("forbidden");
    expect(await codeOf(await move(id, "approve", undefined, "stranger"))).toBe("not_found");
    expect(await codeOf(await move(id, "approve", { comment: "x".repeat(513) }, "approver"))).toBe(
      "validation_failed",
    );
    const approved = await move(id, "approve", { comment: "looks good" }, "approver");
    expect(await approved.json()).toMatchObject({
      status: "stage1",
      stages: [
        {
          gates: [{ verdict: "holds", reason: null }],
          approvals: [{ by: { id: "user-approver", name: "approver" }, comment: "looks good" }],
        },
      ],
    });
    expect(await codeOf(await move(id, "approve", undefined, "approver"))).toBe("already_exists");
    const { entries } = await admin.core.feed({ after: 0, limit: 9, wait_ms: 0, view: "full" });
    expect(entries.at(-1)).toMatchObject({ kind: "approve_publish_stage", audit: { action: "approve" } });
    expect(await codeOf(await move(id, "advance"))).toBe("done");
  });

  it("C12 is of the plan as it was looked at, when If-Match says so, and is repeated under its key", async () => {
    const id = await start({ ...APPROVAL, approvers: 2 });
    const { etag } = (await get(id)) as { etag: string };
    const send = (headers: Record<string, string>) =>
      admin.send("POST", `${PUBLISHES}/${id}/approve`, undefined, { ...as("approver"), ...headers });
    const key = { "x-idempotency-key": "k", "if-match": etag };
    expect((await send(key)).status).toBe(200);
    expect((await send(key)).headers.get("idempotency-replayed")).toBe("true");
    expect(await codeOf(await send({ "if-match": etag }))).toBe("precondition_failed");
  });
});
