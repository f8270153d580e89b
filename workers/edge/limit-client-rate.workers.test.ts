import { describe, expect, it } from "vitest";
import { UNASKED_REQUESTS_MAX } from "./client-rates.ts";
import { startEdge, unique } from "./testing/edge-harness.ts";

function makeCounter(answer: (key: string) => Promise<boolean>) {
  const asked: string[] = [];
  const limit = async ({ key }: RateLimitOptions): Promise<RateLimitOutcome> => {
    asked.push(key);
    return { success: await answer(key) };
  };
  return { asked, counter: { limit } };
}

async function startLimited(answer: (key: string) => Promise<boolean>) {
  const { asked, counter } = makeCounter(answer);
  const edge = await startEdge({ clientRate: counter });
  await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
  const fetchFrom = (ip: string) => edge.fetchConfig({ headers: { "cf-connecting-ip": ip } });
  // A window that ends in the middle begins the count anew.
  const untilAsked = async (ip: string): Promise<Response> => {
    for (let i = 0; i < 3 * UNASKED_REQUESTS_MAX; i += 1) {
      const before = asked.length;
      const response = await fetchFrom(ip);
      if (asked.length > before) return response;
    }
    throw new Error("the counter was never asked");
  };
  return { ...edge, asked, fetchFrom, untilAsked };
}

describe("limit client rate", () => {
  it("E8 refuses whom the location's counter refuses, with the time to wait, and nobody else", async () => {
    const edge = await startLimited(async (key) => !key.endsWith(" 198.51.100.1"));
    const refused = await edge.untilAsked("198.51.100.1");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ code: "rate_limited" });
    expect(edge.asked).toEqual(["j1 198.51.100.1"]);
    expect((await edge.untilAsked("198.51.100.2")).status).toBe(200);
  });

  it("E8 refuses nobody while the counter is away or silent, and says so", async () => {
    const away = await startLimited(() => Promise.reject(new Error("away")));
    expect((await away.untilAsked("198.51.100.1")).status).toBe(200);
    const silent = await startLimited(() => new Promise(() => undefined));
    expect((await silent.untilAsked("198.51.100.1")).status).toBe(200);
    for (const { logs } of [away, silent]) {
      expect(logs.map(({ message }) => message)).toContain("a client's rate could not be counted");
    }
  });

  it("E8 counts a request without a valid token for nobody", async () => {
    const edge = await startLimited(async () => false);
    for (let i = 0; i < 2 * UNASKED_REQUESTS_MAX; i += 1) {
      expect((await edge.fetchConfig({ headers: { authorization: "Bearer x" } })).status).toBe(401);
    }
    expect(edge.asked).toEqual([]);
  });
});
