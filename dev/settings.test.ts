import { expect, test } from "vitest";
import { StartRefusal } from "./refusal.ts";
import { readSettings } from "./settings.ts";

test("defaults are those of the documentation", () => {
  expect(readSettings({}, "/home/me/conflux")).toEqual({
    dataDir: "/home/me/conflux/.conflux",
    edgePort: 8787,
    adminPort: 8788,
    lambdaPort: 8789,
    corePort: 7400,
    nodes: null,
    regions: ["us-east-1", "eu-central-1", "ap-southeast-2", "cn-chengdu", "cn-shanghai"],
    databaseUrl: null,
    dynamoDbUrl: null,
    kmsUrl: null,
    buildDir: null,
    clientRate: null,
    publishEveryS: 1,
    oidcSettings: "",
    oidcClientSecret: "",
  });
});

test.each([
  [{ CONFLUX_OIDC_SETTINGS: "{" }, /CONFLUX_OIDC_SETTINGS .* is not JSON/],
  [{ CONFLUX_OIDC_SETTINGS: '{"issuer":"x"}' }, /CONFLUX_OIDC_SETTINGS .* is wrong at \/issuer/],
  [{ CONFLUX_EDGE_PORT: "80a" }, /CONFLUX_EDGE_PORT must be a port/],
  [{ CONFLUX_ADMIN_PORT: "70000" }, /CONFLUX_ADMIN_PORT must be a port from 1 to 65535, not "70000"/],
  [{ CONFLUX_CORE_PORT: "65500" }, /CONFLUX_CORE_PORT must be a port from 1 to 65335/],
  [{ CONFLUX_NODES: "2" }, /CONFLUX_NODES must be 1, 3 or 5, not "2"/],
  [{ CONFLUX_NODES: "three" }, /CONFLUX_NODES must be 1, 3 or 5/],
  [{ CONFLUX_REGIONS: "us-east-1,,x" }, /CONFLUX_REGIONS must be names/],
  [{ CONFLUX_REGIONS: "us-east-1,us-east-1" }, /each once/],
  [{ CONFLUX_REGIONS: "US" }, /CONFLUX_REGIONS/],
  [{ DATABASE_URL: "mysql://x/y" }, /DATABASE_URL must look like/],
  [{ DYNAMODB_ENDPOINT: "localhost:8000" }, /DYNAMODB_ENDPOINT must look like/],
  [{ CONFLUX_PUBLISH_EVERY_S: "1.5" }, /CONFLUX_PUBLISH_EVERY_S must be 0 \(never\) to 3600 seconds/],
  [{ CONFLUX_PUBLISH_EVERY_S: "-1" }, /CONFLUX_PUBLISH_EVERY_S/],
  [{ KMS_ENDPOINT: "kms" }, /KMS_ENDPOINT must look like/],
])("%o is refused in one sentence", (env, sentence) => {
  expect(() => readSettings(env, "/")).toThrow(sentence);
  expect(() => readSettings(env, "/")).toThrow(StartRefusal);
});
