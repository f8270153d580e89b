import { env } from "cloudflare:workers";
import { type HeadEntry, hubName, replicaName } from "../../../contracts/delivery/replica-rpc.ts";
import type { ReleaseRule } from "../../../domain/release-rule/release-rule.ts";
import { testCommand, testConfigPayload } from "../../../domain/command/testing-commands.ts";
import type { RegionReplica } from "../region-replica.ts";
import type { WatchHub } from "../watch-hub.ts";
import { type RegionFaults, regionFaults } from "./test-objects.ts";

export interface TestEnv {
  REPLICA: DurableObjectNamespace<RegionReplica>;
  HUB: DurableObjectNamespace<WatchHub>;
  KV_US_EAST_1: KVNamespace;
  INDEX_SIGNING_KEY: string;
}
export const testEnv = env as unknown as TestEnv;

let serial = 0;

/** A region of its own for one test: storage is shared by the tests of a file. */
export class TestRegion {
  readonly name = `r${(serial += 1)}-${crypto.randomUUID().slice(0, 8)}`;
  readonly faults: RegionFaults = regionFaults(this.name);

  /** A new stub each time: one stays broken once its object has died. */
  get replica(): DurableObjectStub<RegionReplica> {
    return testEnv.REPLICA.getByName(replicaName(this.name, 0));
  }
  get hub(): DurableObjectStub<WatchHub> {
    return this.hubShard(0);
  }
  hubShard(shard: number): DurableObjectStub<WatchHub> {
    return testEnv.HUB.getByName(hubName(this.name, shard));
  }

  /** Creates `demo/shop/prod/<name>` with version 1 and these rules. */
  async create(
    name: string,
    text: string,
    releases: ReleaseRule[] = [rule(1)],
  ): Promise<{ id: string; index: number }> {
    const bytes = new TextEncoder().encode(text);
    const payload = testConfigPayload(name, await sha256Hex(bytes), { releases });
    const made = await this.faults.core.core.propose({
      command: testCommand("create_config", payload),
      attachments: [bytes],
    });
    return { id: made.result.config.id, index: made.index };
  }

  /** Adds a version and, unless told otherwise, makes it what everybody gets; answers the index. */
  async release(configId: string, text: string, releases?: ReleaseRule[]): Promise<number> {
    const bytes = new TextEncoder().encode(text);
    const { core } = this.faults.core;
    const added = await core.propose({
      command: testCommand("create_version", {
        config_id: configId,
        content: { attachment: 0, sha256: await sha256Hex(bytes) },
        format: null,
        schema: null,
        description: "next",
      }),
      attachments: [bytes],
    });
    return this.putRules(configId, releases ?? [rule(added.result.version.version_id)]);
  }

  async putRules(configId: string, releases: ReleaseRule[]): Promise<number> {
    const put = await this.faults.core.core.propose({
      command: testCommand("put_releases", { config_id: configId, releases }),
      attachments: [],
    });
    return put.index;
  }

  async delete(configId: string): Promise<number> {
    const done = await this.faults.core.core.propose({
      command: testCommand("delete_config", { config_id: configId }),
      attachments: [],
    });
    return done.index;
  }

  async revoke(jti: string, expiresAtMs: number): Promise<number> {
    const done = await this.faults.core.core.propose({
      command: testCommand("revoke_token", { jti, expires_at_ms: expiresAtMs }),
      attachments: [],
    });
    return done.index;
  }

  /** Takes a backup of the core; `restore` puts it in the state's place and answers the new position. */
  async backup(): Promise<{ restore: () => Promise<{ epoch: number; index: number; notBeforeMs: number }> }> {
    const { core } = this.faults.core;
    const { backup_id } = await core.startBackup({
      request_id: null,
      wait_ms: 0,
      head: { actor: { type: "user", id: "u-1", name: "ada" }, ip: "192.0.2.1", trace_id: "a".repeat(32) },
    });
    return {
      restore: async () => {
        const { restore } = await core.startRestore({
          backup_id: backup_id ?? "",
          restore_id: crypto.randomUUID(),
          epoch_min: 0,
          force: false,
          actor: { type: "user", id: "u-1", name: "ada" },
          ip: "",
          wait_ms: 0,
        });
        if (restore === null) throw new Error("nothing was restored");
        const notBeforeMs = Date.parse(restore.tokens_not_before);
        return { epoch: restore.epoch, index: restore.index, notBeforeMs };
      },
    };
  }

  /** The head entry of `demo/shop/prod/<name>` once the replica has reached `index`. */
  async head(name: string, index: number): Promise<HeadEntry> {
    const answer = await this.replica.lookup({
      names: [`demo/shop/prod/${name}`],
      min_index: index,
      wait_ms: 5000,
    });
    if (!answer.reached) throw new Error(`the replica is at ${answer.index}, not at ${index}`);
    const [entry] = answer.entries;
    if (entry === undefined) throw new Error("no entry");
    return entry;
  }
}

export const rule = (versionId: number, more: Partial<ReleaseRule> = {}): ReleaseRule => ({
  labels: {},
  version_id: versionId,
  priority: 0,
  ...more,
});

export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Waits until `holds` does; rejects after 8 s, which no test should come near. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 800; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("what was waited for did not come");
}
