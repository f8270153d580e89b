import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/**
 * In production the region comes from where a request arrived (`request.cf.colo`) alone. This runs the bundle that is
 * deployed, and asks which region's replica it turns to.
 */
const REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-2", "cn-chengdu", "cn-shanghai"];

interface Bundle {
  default: {
    fetch: (request: Request, env: unknown, context: unknown) => Promise<Response>;
  };
}
let folder = "";
let worker: Bundle["default"];
let token = "";
let env: unknown;
const asked: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "conflux-edge-"));
  const outfile = join(folder, "main.mjs");
  const entryPoints = [join(import.meta.dirname, "../../workers/edge/main.ts")];
  const conditions = ["workerd", "worker", "browser"];
  await build({
    entryPoints,
    outfile,
    conditions,
    bundle: true,
    format: "esm",
    target: "es2024",
    logLevel: "error",
  });
  worker = ((await import(pathToFileURL(outfile).href)) as Bundle).default;
  const { publicKey, privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: "EdDSA" };
  token = await new SignJWT({ tenant: "demo", scopes: ["read:demo/**"] })
    .setProtectedHeader({ alg: "EdDSA", kid: "k1", typ: "conflux-client+jwt" })
    .setIssuer("conflux")
    .setAudience("conflux-edge")
    .setSubject("t1")
    .setJti("j1")
    .setIssuedAt()
    .setExpirationTime("10m")
    .sign(privateKey);
  const position = { cluster_id: "c1", epoch: 1, index: 1, age_ms: 0 };
  const replica = {
    changesSince: async () => ({ ...position, entries: [], revocations: [], dropped: false }),
    lookup: async ({ names }: { names: string[] }) => ({
      ...position,
      entries: names.map((name) => ({ name, doc: null, index: 0, version: 0 })),
      reached: true,
    }),
  };
  env = {
    REPLICA: {
      getByName(name: string) {
        asked.push(name);
        return replica;
      },
    },
    ADMIN: { fetch: async () => Response.json({ keys: [jwk] }) },
    CORE_URLS: '["http://127.0.0.1:9"]',
    CORE_SERVICE_KEY: "of a core that is not asked: 32 bytes",
    INDEX_SIGNING_KEY: "a key of the tests alone",
    HEAD_TTL_MS: "0",
    REGIONS: REGIONS.join(","),
  };
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The replicas asked for one request that arrived at `colo`. */
async function replicasAsked(colo: string | undefined, headers: Record<string, string>, host: string) {
  asked.length = 0;
  const url = `https://${host}/api/v1/fetch/config/demo/shop/prod/app?region=${REGIONS[4]}`;
  const request = new Request(url, { headers: { ...headers, authorization: `Bearer ${token}` } });
  Object.defineProperty(request, "cf", {
    value: colo === undefined ? undefined : { colo, region: REGIONS[4] },
  });
  const response = await worker.fetch(request, env, { waitUntil: () => undefined });
  expect(response.status).toBe(404);
  return [...new Set(asked)];
}

describe("the deployed edge", () => {
  it("E3 takes the region from where the request arrived", async () => {
    expect(await replicasAsked("CTU", {}, "edge.example")).toEqual(["replica:cn-chengdu"]);
    expect(await replicasAsked("FRA", {}, "edge.example")).toEqual(["replica:eu-central-1"]);
    expect(await replicasAsked("???", {}, "edge.example")).toEqual(["replica:us-east-1"]);
    expect(await replicasAsked(undefined, {}, "edge.example")).toEqual(["replica:us-east-1"]);
  });

  it("E3 ignores Host and every header of the client", async () => {
    const names = [
      "host",
      "x-region",
      "region",
      "x-conflux-region",
      "cf-ray",
      "cf-ipcountry",
      "cf-connecting-ip",
      "cf-colo",
      "x-colo",
      "x-forwarded-host",
      "x-forwarded-for",
      "forwarded",
      "x-real-ip",
      "x-client-label-region",
      "x-client-label-edge.region",
      "edge-region",
      "origin",
      "referer",
      "via",
      "x-original-host",
      "x-amz-region",
      "true-client-ip",
      "mf-region",
    ];
    for (const region of REGIONS.slice(1)) {
      const headers = Object.fromEntries(
        names.map((name) => [name, name === "host" ? `${region}.localhost` : region]),
      );
      for (const host of [`${region}.localhost:8787`, `${region}.edge.example`, region]) {
        expect(await replicasAsked("IAD", headers, host)).toEqual(["replica:us-east-1"]);
      }
    }
  });
});
