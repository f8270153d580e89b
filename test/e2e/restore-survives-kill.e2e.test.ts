import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { FaultyS3 } from "../../adapters/object-storage/testing/faulty-s3.ts";
import { StateStore } from "../../consensus/state/state-store.ts";
import type { ClusterJob } from "../../contracts/backup/backup-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import { CoreCluster, type CoreClusterNode } from "../testing/core-cluster.ts";
import { until } from "../testing/stack.ts";

const SERVICE_KEY = "restore-kill-service-key-restore-kill";
/** Random bytes of each config: so many make three chunks. */
const LARGE_BYTES = 1024 * 1024;
const CONFIGS = 9;
const CHUNKS = 3;
const E2E_MS_MAX = 300_000;

let directory: string;
let s3: FaultyS3;
let cluster: CoreCluster | null = null;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "conflux-restore-kill-"));
  s3 = await FaultyS3.start();
});
afterEach(async () => {
  await cluster?.kill();
  cluster = null;
  await s3.stop();
  rmSync(directory, { recursive: true, force: true });
});

const clientOf = (...urls: string[]): CoreClient =>
  new CoreClient({ urls, serviceKey: SERVICE_KEY, role: "admin" });
const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function create(core: CoreClient, name: string, bytes: Uint8Array): Promise<string> {
  const payload = testConfigPayload(name, sha256Of(bytes), { format: "binary" });
  const idempotency = { scope: `create:${name}`, digest: sha256Of(bytes) };
  const command = testCommand("create_config", payload, { idempotency });
  return (await core.propose({ command, attachments: [bytes] })).result.config.id;
}
async function addVersion(core: CoreClient, config_id: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const content = { attachment: 0, sha256: sha256Of(bytes) };
  const payload = { config_id, content, format: null, schema: null, description: text };
  const idempotency = { scope: `${config_id}:${text}`, digest: sha256Of(bytes) };
  await core.propose({
    command: testCommand("create_version", payload, { idempotency }),
    attachments: [bytes],
  });
}

/** What a node serves in one answer, as one text: `epoch: name@latest ...`. */
async function served(core: CoreClient, consistency: "stale" | "linearizable"): Promise<string> {
  const { epoch, items } = await core.listConfigs({ tenant: "demo", limit: 200 }, { consistency });
  const configs = items.map(({ name, latest_version_id }) => `${name}@${latest_version_id}`);
  return `${epoch}: ${configs.toSorted().join(" ")}`;
}
const names = Array.from({ length: CONFIGS }, (_, i) => `c${i}`);
const restoredIn = (epoch: number): string => `${epoch}: ${names.map((name) => `${name}@1`).join(" ")}`;
const changedIn = (epoch: number): string =>
  `${epoch}: ${[...names.map((name) => `${name}@2`), `later${epoch}@1`].join(" ")}`;

/** Asks every node in turn for what it has, until stopped; answers all that was seen. */
function watch(nodes: readonly CoreClusterNode[]): () => Promise<Set<string>> {
  const seen = new Set<string>();
  const state = { isOver: false };
  const looking = nodes.map(async ({ url }) => {
    const core = clientOf(url);
    while (!state.isOver) {
      // One that is down, or has just come up, has nothing to say.
      const one = await served(core, "stale").catch(() => null);
      if (one !== null) seen.add(one);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  return async () => {
    state.isOver = true;
    await Promise.all(looking);
    return seen;
  };
}

const AUTHOR = { actor: { type: "user", id: "u-1", name: "ada" }, ip: "192.0.2.1" } as const;
const HEAD = { ...AUTHOR, trace_id: "a".repeat(32) };
const order = (backup_id: string, restore_id: string) => ({
  ...AUTHOR,
  backup_id,
  restore_id,
  force: false,
  epoch_min: 0,
  wait_ms: 20_000,
});
/** Asks, again and again under one id, until the restore is complete: as the caller of an idempotent request does. */
function restoreSteadily(core: CoreClient, backupId: string, restoreId: string): Promise<ClusterJob> {
  return until(
    async () => {
      try {
        const job = await core.startRestore(order(backupId, restoreId));
        return job.state === "complete" && job;
      } catch (error) {
        const mayPass = [
          "upgrade_in_progress",
          "not_proposed",
          "outcome_unknown",
          "unavailable",
          "already_exists",
        ];
        if (error instanceof ConfluxError && mayPass.includes(error.code)) return null;
        throw error;
      }
    },
    `the restore ${restoreId} is complete`,
    90_000,
  );
}

/** Resolves when the restore under way has been proven and its chunk `position` is asked for; that answer is held. */
function holdChunk(position: number): { reached: Promise<void>; release: () => void } {
  const reached = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const name = `${String(position).padStart(6, "0")}.zst`;
  let reads = 0;
  s3.judge = async ({ method, path }) => {
    if (method !== "GET" || !path.includes(name)) return null;
    reads += 1;
    if (reads !== 2) return null;
    reached.resolve();
    await held.promise;
    return null;
  };
  return { reached: reached.promise, release: () => held.resolve() };
}

test(
  "R13 R3 kill -9 of the leader before, between and after the chunks of a restore: the old state or the whole restored one, and the same request makes it that once",
  async () => {
    cluster = await CoreCluster.start({
      directory,
      serviceKey: SERVICE_KEY,
      env: {
        CONFLUX_BACKUP_STORE: `s3://${s3.bucket}/kill`,
        CONFLUX_BACKUP_INTERVAL_S: "0",
        S3_ENDPOINT: s3.url,
        AWS_REGION: "us-east-1",
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
      },
    });
    const core = clientOf(...cluster.urls);
    const ids: string[] = [];
    for (const name of names) ids.push(await create(core, name, randomBytes(LARGE_BYTES)));
    const taken = await core.startBackup({ request_id: "take", wait_ms: 20_000, head: HEAD });
    expect(taken).toMatchObject({ state: "complete", backup: { chunks: CHUNKS } });
    const backupId = taken.backup_id ?? "";

    for (let epoch = 1; epoch <= CHUNKS + 1; epoch += 1) {
      const isAfterChunks = epoch === CHUNKS + 1;
      for (const id of ids) await addVersion(core, id, `in-${epoch}`);
      await create(core, `later${epoch}`, randomBytes(10));
      const leader = await cluster.whole();
      const seen = watch(cluster.nodes);
      const hold = holdChunk(isAfterChunks ? CHUNKS - 1 : epoch - 1);
      const alone = clientOf(leader.url);
      const asked = restoreUntilCutOff(alone, backupId, `r-${epoch}`);
      await hold.reached;
      if (isAfterChunks) hold.release();
      await leader.process.kill();
      hold.release();
      s3.judge = () => null;
      expect(await asked).toBe("cut off");

      const next = await cluster.leader();
      const now = await served(core, "linearizable");
      if (!isAfterChunks) expect(now).toBe(changedIn(epoch));
      else expect([changedIn(epoch), restoredIn(epoch + 1)]).toContain(now);
      // In one round the new leader finds what was left, in the others the repetition is there first, or not.
      if (epoch === 2) {
        await until(() => next.process.output.includes("dropping a restore left behind"), "it is dropped");
        expect(await served(core, "linearizable")).toBe(changedIn(epoch));
      }
      if (epoch % 2 === 0) await leader.process.start();
      const done = await restoreSteadily(core, backupId, `r-${epoch}`);
      expect(done.restore).toMatchObject({ backup_id: backupId, epoch: epoch + 1 });
      if (epoch % 2 === 1) await leader.process.start();
      await cluster.whole();
      expect(await restoreSteadily(core, backupId, `r-${epoch}`)).toMatchObject({ restore: done.restore });
      for (const { url } of cluster.nodes) {
        expect(await served(clientOf(url), "stale")).toBe(restoredIn(epoch + 1));
      }
      expect(await seen()).toEqual(new Set([changedIn(epoch), restoredIn(epoch + 1)]));
    }

    const states = await cluster.stateHashes();
    expect(states).toEqual(states.map(() => states[0]));
    const path = join(cluster.node(1).dataDirectory, "state.db");
    const store = new StateStore({ path, clusterId: "c1", journal: "wal" });
    expect(store.restored()?.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5]);
    store.close();
  },
  E2E_MS_MAX,
);

/** Asks one node alone; what ends with the node, and not with an answer, is `cut off`. */
async function restoreUntilCutOff(core: CoreClient, backupId: string, restoreId: string): Promise<string> {
  for (;;) {
    try {
      return (await core.startRestore(order(backupId, restoreId))).state;
    } catch (error) {
      if (!(error instanceof ConfluxError)) throw error;
      // It may not have heard of every voter yet.
      if (error.code !== "upgrade_in_progress") return "cut off";
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
