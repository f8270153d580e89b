import { describe, expect, it } from "vitest";
import { invokeWebhookFunction } from "../publish-gate/invoke-webhook-function.ts";
import { signAwsRequest } from "./sign-aws-request.ts";

/** The worked example of AWS's documentation of Signature Version 4 (a GET of IAM's ListUsers). */
const EXAMPLE = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

describe("L1 a request signed for AWS", () => {
  it("has the signature of AWS's own example", async () => {
    const headers = await signAwsRequest(
      {
        method: "GET",
        url: new URL("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"),
        headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
        body: "",
      },
      { credentials: EXAMPLE, region: "us-east-1", service: "iam", nowMs: Date.UTC(2015, 7, 30, 12, 36) },
    );
    expect(headers["authorization"]).toBe(
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    );
  });
});

describe("L1 the function that posts to webhooks", () => {
  const environment = {
    AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: EXAMPLE.accessKeyId,
    AWS_SECRET_ACCESS_KEY: EXAMPLE.secretAccessKey,
    AWS_SESSION_TOKEN: "session",
  };
  const request = { url: "https://gate.example/", headers: {}, body: "{}" };
  const answering = (answer: () => Response) => {
    const sent: { url: string; headers: Headers; body: unknown }[] = [];
    const invoke = () =>
      invokeWebhookFunction(
        {
          functionName: "conflux-gate-webhook",
          environment,
          nowMs: () => 0,
          fetch: async (url, init) => {
            sent.push({
              url: url instanceof URL ? url.href : "",
              headers: new Headers(init?.headers),
              body: init?.body,
            });
            return answer();
          },
        },
        request,
      );
    return { sent, invoke };
  };

  it("is invoked in its region, with the request as its event", async () => {
    const reply = { ok: true, status: 200, body: "{}" };
    const { sent, invoke } = answering(() => Response.json(reply));
    expect(await invoke()).toEqual(reply);
    expect(sent[0]?.url).toBe(
      "https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/conflux-gate-webhook/invocations",
    );
    expect(sent[0]?.body).toBe(JSON.stringify(request));
    expect(sent[0]?.headers.get("x-amz-security-token")).toBe("session");
    expect(sent[0]?.headers.get("authorization")).toContain("/eu-central-1/lambda/aws4_request");
  });

  it.each([
    ["refuses", () => new Response("", { status: 403 }), "403"],
    ["fails", () => new Response("{}", { headers: { "x-amz-function-error": "Unhandled" } }), "Unhandled"],
    ["answers something else", () => Response.json({ status: 200 }), "something else"],
    [
      "is away",
      () => {
        throw new TypeError("fetch failed");
      },
      "fetch failed",
    ],
  ] as [string, () => Response, string][])("when it %s, says why", async (_what, answer, reason) => {
    const reply = await answering(answer).invoke();
    expect(reply).toEqual({ ok: false, reason: expect.stringContaining(reason) as string });
  });
});
