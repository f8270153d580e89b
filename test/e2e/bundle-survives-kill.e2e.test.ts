import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import type { ProposeAnswer } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { bundleRule, testBundle } from "../../domain/bundle/testing-bundles.ts";
import type { Config } from "../../domain/config/config.ts";
import { CoreCluster } from "../testing/core-cluster.ts";
import { until } from "../testing/stack.ts";

const SERVICE_KEY = "bundle-survives-kill-key-of-the-test";
const CONFIGS = 200;
const FILLING = "x".repeat(2_000);
/** When the core is killed after the bundle was sent: from before it has come to after it is written. */
const KILLED_AFTER_MS = [0, 10, 30, 90, 270];

/** A node is killed and started five times. */
const TEST_MS_MAX = 300_000;

let directory: string;
let cluster: CoreCluster | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-bundle-"));
});
afterEach(async () => {
  await cluster?.kill();
  cluster = null;
  rmSync(directory, { recursive: true, force: true });
});

test(
  "C13 R3 a bundle whose core is killed at any moment is there whole or not at all, and once when it is repeated",
  async () => {
    cluster = await CoreCluster.start({ directory, serviceKey: SERVICE_KEY, nodeIds: [1] });
    const node = cluster.node(1);
    const core = new CoreClient({ urls: cluster.urls, serviceKey: SERVICE_KEY, role: "admin" });
    for (const [round, delayMs] of KILLED_AFTER_MS.entries()) {
      const app = `round-${round}`;
      const bundle = bundleOf(app);
      const apply = (): Promise<ProposeAnswer<"apply_bundle">> => core.propose(bundle);
      // What came of it is looked at below, whichever it is.
      const first = apply().catch((error: unknown) => error);
      await sleep(delayMs);
      await node.process.kill();
      const outcome = await first;
      await node.process.start();
      await cluster.whole();
      const after = (await configsOf(core, app)).length;
      expect([round, after === 0 || after === CONFIGS, after]).toEqual([round, true, after]);
      if (!(outcome instanceof Error)) expect(after).toBe(CONFIGS);

      const repeated = await until(
        () => apply().catch((error: unknown) => (isBusy(error) ? null : Promise.reject(error))),
        "the bundle is applied",
      );
      expect(repeated.replayed).toBe(after === CONFIGS);
      const configs = await configsOf(core, app);
      expect(configs).toHaveLength(CONFIGS);
      expect(configs.every((config) => config.latest_version_id === 1 && config.bundle?.id === app)).toBe(
        true,
      );
      expect(new Set(configs.map(({ revision }) => revision))).toEqual(new Set([repeated.index]));
    }
  },
  TEST_MS_MAX,
);

function bundleOf(app: string) {
  const entries = Array.from({ length: CONFIGS }, (_, i) => ({
    name: `c${i}`,
    app,
    content: `${app} ${i} ${FILLING}`,
    releases: [bundleRule("bundle")],
  }));
  const { command, attachments } = testBundle(app, entries);
  const idempotency = { scope: app.padEnd(64, "0"), digest: "0".repeat(64) };
  return { command: { ...command, idempotency }, attachments };
}

const isBusy = (error: unknown): boolean =>
  error instanceof ConfluxError && ["not_proposed", "outcome_unknown", "unavailable"].includes(error.code);

async function configsOf(core: CoreClient, app: string): Promise<Config[]> {
  const all: Config[] = [];
  let cursor: string | null = null;
  do {
    const page: { items: Config[]; next_cursor: string | null } = await core.listConfigs({
      tenant: "demo",
      app,
      limit: 200,
      ...(cursor === null ? {} : { cursor }),
    });
    all.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return all;
}
