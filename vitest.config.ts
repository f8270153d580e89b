import { defineConfig } from "vitest/config";

/** One runner, four kinds of test; a file's suffix says where it runs. */
export default defineConfig({
  test: {
    reporters: ["default", "./test/summary-reporter.ts"],
    // All processors: the machine has nothing else to do. End-to-end tests start many processes each, and run one by one.
    maxWorkers: "100%",
    projects: [
      {
        test: {
          name: "node",
          include: ["**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/*.workers.test.ts", "**/*.pg.test.ts", "**/*.e2e.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "pg",
          globalSetup: ["./test/testing/postgres.ts"],
          include: ["**/*.pg.test.ts"],
          exclude: ["**/node_modules/**"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.e2e.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      "./workers/vitest.config.ts",
    ],
  },
});
