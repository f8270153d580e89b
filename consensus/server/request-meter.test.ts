import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { RequestMeter } from "./request-meter.ts";

it("M1 requests are counted by route and outcome, timed by route, and told as often as they are asked for", async () => {
  const registry = new Registry();
  const meter = new RequestMeter(registry, [0.5]);
  const lines = async (): Promise<string[]> => {
    const text = await registry.metrics();
    return text.split("\n").filter((line) => line !== "" && !line.startsWith("#") && !line.includes("_sum"));
  };
  const at = 'protocol="http",method="POST",path="/v1/propose"';
  const began = [meter.began(), meter.began(), meter.began()];
  meter.ended("POST", "/v1/propose", 200, began[0]! - 1_000);
  meter.ended("POST", "/v1/propose", 200, began[1]!);
  meter.ended("POST", "/v1/propose", 409, began[2]!);
  const told = [
    `http_requests_total{${at},status="200"} 2`,
    `http_requests_total{${at},status="409"} 1`,
    `http_requests_duration_seconds_bucket{le="0.5",${at}} 2`,
    `http_requests_duration_seconds_bucket{le="+Inf",${at}} 3`,
    `http_requests_duration_seconds_count{${at}} 3`,
    `http_requests_in_flight{protocol="http"} 0`,
  ];
  expect(await lines()).toEqual(told);
  expect(await lines()).toEqual(told);

  meter.ended("GET", "/v1/propose", 405, meter.began());
  meter.began();
  const later = await lines();
  expect(later).toEqual(expect.arrayContaining(told.slice(0, 5)));
  expect(later).toContain(
    'http_requests_total{protocol="http",method="GET",path="/v1/propose",status="405"} 1',
  );
  expect(later).toContain('http_requests_in_flight{protocol="http"} 1');
});
