import { expect, test } from "vitest";
import { awsEndpoint, awsEnvironment } from "./aws-endpoint.ts";

const ownUrl = "http://localhost:8000";

test("a stand-in is on its port, with the caller it knows, whatever the environment names", () => {
  const env = { AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "mine" };
  const endpoint = awsEndpoint({ ownUrl: null, port: 4000, accessKeyId: "known", env });
  expect(endpoint).toEqual({
    url: "http://127.0.0.1:4000",
    region: "us-east-1",
    credentials: { accessKeyId: "known", secretAccessKey: "local" },
  });
  expect(awsEnvironment(endpoint)).toEqual({
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "known",
    AWS_SECRET_ACCESS_KEY: "local",
  });
});

test("the user's own is called with the user's region and credentials, and never with our key", () => {
  const env = { AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "mine" };
  const endpoint = awsEndpoint({ ownUrl, port: null, accessKeyId: "known", env });
  expect(endpoint).toEqual({ url: ownUrl, region: "eu-central-1" });
  expect(awsEnvironment(endpoint)).toEqual({ AWS_REGION: "eu-central-1" });
  expect(awsEndpoint({ ownUrl, port: null, accessKeyId: "known", env: {} }).credentials).toEqual({
    accessKeyId: "local",
    secretAccessKey: "local",
  });
});
