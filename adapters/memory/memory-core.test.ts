import { describe, expect, it } from "vitest";
import { testCommand } from "../../domain/command/testing-commands.ts";
import { backupConformance } from "../core-client/testing/backup-conformance.ts";
import { codeOf, coreConformance, createIn } from "../core-client/testing/core-conformance.ts";
import { clusterConformance } from "../core-client/testing/cluster-conformance.ts";
import { changesConformance } from "../core-client/testing/changes-conformance.ts";
import { publishConformance } from "../core-client/testing/publish-conformance.ts";
import { quotaConformance } from "../core-client/testing/quota-conformance.ts";
import { rulesConformance } from "../core-client/testing/rules-conformance.ts";
import { encryptionConformance } from "../core-client/testing/encryption-conformance.ts";
import { ContentSealer } from "../kms/content-sealer.ts";
import { MemoryCore } from "./memory-core.ts";
import { MemoryKeyService } from "./memory-key-service.ts";

describe("the core in memory", () => {
  const keys = new MemoryKeyService(["alias/one", "alias/two"]);
  const shared = new MemoryCore({ sealer: new ContentSealer({ keys, defaultKeyId: "alias/one" }) });
  encryptionConformance(() => shared, keys);
  coreConformance(() => shared);
  backupConformance(() => shared);
  publishConformance(() => shared);
  changesConformance(() => shared);
  rulesConformance(() => shared);
  quotaConformance(() => shared);
  clusterConformance(() => shared);

  it("a cursor before the compacted part is feed_compacted, the snapshot goes on", async () => {
    const core = new MemoryCore();
    const { index } = await createIn(core, "a.json", "{}");
    await createIn(core, "b.json", "{}");
    core.compactFeed(index);
    expect(await codeOf(core.edgeFeed({ after: 0, limit: 1, wait_ms: 0 }))).toBe("feed_compacted");
    const rest = await core.edgeFeed({ after: index, limit: 10, wait_ms: 0 });
    expect(rest.entries).toMatchObject([{ prev_index: index }]);
    expect((await core.edgeSnapshot({ cursor: null, limit: 10 })).configs).toHaveLength(2);
  });

  it("R9 time never goes backwards", async () => {
    let nowMs = 5000;
    const core = new MemoryCore({ now: () => nowMs });
    const first = await createIn(core, "a.json", "{}");
    nowMs = 1000;
    const command = testCommand("delete_config", { config_id: first.result.config.id });
    expect((await core.propose({ command, attachments: [] })).timestamp_ms).toBe(5000);
  });
});
