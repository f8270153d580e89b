import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineProject } from "vitest/config";

/** Tests that run inside workerd. One Worker holds every binding the edge, watch and admin tests need. */
export default defineProject({
  plugins: [
    cloudflareTest({
      main: "./testing-entry.ts",
      miniflare: {
        compatibilityDate: "2026-10-01",
        compatibilityFlags: ["nodejs_compat"],
        kvNamespaces: ["KV_US_EAST_1", "KV_CN_CHENGDU"],
        durableObjects: {
          REPLICA: { className: "TestRegionReplica", useSQLite: true },
          HUB: { className: "TestWatchHub", useSQLite: true },
          REQUEST_WINDOW: { className: "RequestWindow", useSQLite: true },
          EDGE_FAKE_REPLICA: { className: "FakeReplica", useSQLite: true },
          EDGE_FAKE_HUB: { className: "FakeHub", useSQLite: true },
        },
        bindings: {
          REGIONS: "us-east-1,cn-chengdu",
          INDEX_SIGNING_KEY: "a key of the tests alone",
        },
      },
    }),
  ],
  test: {
    name: "workers",
    include: ["**/*.workers.test.ts", "../sdk/**/*.workers.test.ts", "../test/workers/*.workers.test.ts"],
    testTimeout: 20_000,
  },
});
