import { createHash } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { rewrapInput, sealIn } from "../../adapters/core-client/testing/encryption-conformance.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import { testCommand, testConfigPayload, testRule } from "../../domain/command/testing-commands.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { OWN_ABILITIES } from "./own-abilities.ts";
import type { PeerAbilities } from "./peer-knowledge.ts";
import { startTestingCluster, type TestingCluster } from "./testing-cluster.ts";
import { requireSupported } from "./version-gate.ts";

let cluster: TestingCluster;
afterEach(() => cluster.close());
async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 10));
}
const newer = { ...OWN_ABILITIES, build: "2.0", commandKinds: [...OWN_ABILITIES.commandKinds, "paint"] };
const older = { ...OWN_ABILITIES, build: "1.0" };

describe("a cluster that is upgraded node by node", () => {
  it("C5 K1 takes rules with conditions and envelopes once every voter knows them, and plain ones all the while", async () => {
    const later = ["rule_conditions", "sealed_content", "rewrap_keys"];
    const commandKinds = OWN_ABILITIES.commandKinds.filter((kind) => !later.includes(kind));
    const abilities: Record<number, PeerAbilities> = {
      1: OWN_ABILITIES,
      2: OWN_ABILITIES,
      3: { build: "1.0", commandKinds, snapshotFormats: OWN_ABILITIES.snapshotFormats },
    };
    const encryption = { keys: new MemoryKeyService(["alias/one"]), defaultKeyId: "alias/one" };
    cluster = await startTestingCluster({ size: 3, abilities, encryption });
    await cluster.lead(1);
    await until(() => {
      const all = [...cluster.members.values()];
      return all.every(({ peers, id }) => [1, 2, 3].every((o) => o === id || peers.abilitiesOf(o) !== null));
    });
    const content = new TextEncoder().encode("{}");
    const sha256 = createHash("sha256").update(content).digest("hex");
    const when = [{ label: "app", op: "semver" as const, values: ["^1.0.0"] }];
    const create = (name: string, releases: ReleaseRule[]) =>
      cluster.client().propose({
        command: testCommand("create_config", testConfigPayload(name, sha256, { releases })),
        attachments: [content],
      });
    const { config } = (await create("plain", [testRule(1)])).result;
    const put = () =>
      cluster.client().propose({
        command: testCommand("put_releases", { config_id: config.id, releases: [{ ...testRule(1), when }] }),
        attachments: [],
      });
    const refusal = { code: "upgrade_in_progress", message: expect.stringContaining("rule_conditions") };
    await expect(put()).rejects.toMatchObject(refusal);
    await expect(create("other", [{ ...testRule(1), when }])).rejects.toMatchObject(refusal);

    const upgrade = { code: "upgrade_in_progress" };
    await expect(sealIn(cluster.client(), "secret", "x")).rejects.toMatchObject(upgrade);
    await expect(cluster.client().rewrapKeys(rewrapInput())).rejects.toMatchObject(upgrade);

    abilities[3] = OWN_ABILITIES;
    await cluster.stop(3);
    await cluster.start(3);
    await until(() =>
      [...cluster.members.values()].every(
        ({ peers, id }) => id === 3 || peers.abilitiesOf(3)?.build === OWN_ABILITIES.build,
      ),
    );
    await cluster.leader();
    expect((await put()).result.config.releases).toEqual([{ ...testRule(1), when }]);
    expect((await sealIn(cluster.client(), "secret", "x")).result.config.encrypted).toBe(true);
    expect((await cluster.client().rewrapKeys(rewrapInput())).rewrapped).toBe(1);
  });

  it("R5 gets rid of a member that nobody has reached since the newer build came, and only then takes what is new", async () => {
    const abilities: Record<number, PeerAbilities> = { 1: newer, 2: newer };
    cluster = await startTestingCluster({ size: 3, abilities, absent: [3] });
    const leader = await cluster.leader();
    const other = [...cluster.members.values()].find(({ id }) => id !== leader.id)!;
    await until(() => leader.peers.abilitiesOf(other.id) !== null);
    const ask = (): void => requireSupported("paint", () => leader.log.status(), leader.peers);
    expect(ask).toThrow("node 3 (not heard of yet)");
    const head = {
      actor: { type: "user" as const, id: "u-1", name: "ada" },
      ip: "",
      trace_id: "0".repeat(32),
    };
    const removed = await cluster.client(leader, other).removeNode({ node_id: 3, head });
    expect(removed).toMatchObject({ node_id: 3 });
    expect(leader.log.status().members.map(({ nodeId }) => nodeId)).toEqual([1, 2]);
    expect(ask).not.toThrow();
  });

  it("takes a new kind of command once the last voter understands it, and goes on taking the old ones", async () => {
    const abilities: Record<number, PeerAbilities> = { 1: newer, 2: newer, 3: older };
    cluster = await startTestingCluster({ size: 3, abilities });
    const ask = async (): Promise<string> => {
      const { log, peers } = await cluster.leader();
      try {
        requireSupported("paint", () => log.status(), peers);
        return "taken";
      } catch (error) {
        return (error as Error).message;
      }
    };
    await cluster.lead(1);
    await until(() =>
      [...cluster.members.values()].every(({ peers, id }) =>
        [1, 2, 3].every((other) => other === id || peers.abilitiesOf(other) !== null),
      ),
    );
    expect(await ask()).toContain("node 3 (build 1.0)");
    const command = testCommand("revoke_token", { jti: "j", expires_at_ms: 9e15 });
    expect((await cluster.client().propose({ command, attachments: [] })).result.jti).toBe("j");

    await cluster.stop(3);
    // What it last said counts while it is away.
    expect(await ask()).toContain("node 3 (build 1.0)");
    abilities[3] = newer;
    const back = await cluster.start(3);
    // And it knows the others from before its restart.
    expect(back.peers.abilitiesOf(1)?.build).toBe("2.0");
    const all = [...cluster.members.values()];
    await until(() => all.every(({ peers, id }) => id === 3 || peers.abilitiesOf(3)?.build === "2.0"));
    expect(await ask()).toBe("taken");

    // A leader that restarts while another is away still knows what that one understands.
    const away = all.find(({ log }) => log.status().role !== "leader")!.id;
    const led = (await cluster.leader()).id;
    await cluster.stop(away);
    await cluster.stop(led);
    const again = await cluster.start(led);
    expect(again.peers.abilitiesOf(away)?.build).toBe("2.0");
    expect(await ask()).toBe("taken");
  });
});
