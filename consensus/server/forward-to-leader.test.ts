import { afterEach, describe, expect, it } from "vitest";
import { codeOf, createIn } from "../../adapters/core-client/testing/core-conformance.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { testCommand } from "../../domain/command/testing-commands.ts";
import { startTestingCluster, type TestingCluster } from "./testing-cluster.ts";

let cluster: TestingCluster;
afterEach(() => cluster.close());

const revoke = (jti: string, key?: string) => ({
  command: testCommand(
    "revoke_token",
    { jti, expires_at_ms: 9e15 },
    key === undefined ? {} : { idempotency: { scope: key, digest: "d" } },
  ),
  attachments: [],
});
const followersOf = async () => {
  const leader = await cluster.leader();
  return [...cluster.members.values()].filter((member) => member !== leader);
};
async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("R14 a write goes to the leader", () => {
  it("a follower alone refuses it and says who leads; a client of all finds the leader", async () => {
    cluster = await startTestingCluster({ size: 3 });
    const leader = await cluster.leader();
    const [follower, other] = await followersOf();
    await expect(cluster.client(follower!).propose(revoke("a"))).rejects.toMatchObject({
      code: "not_proposed",
      message: expect.stringContaining("does not lead"),
    });
    const { result } = await cluster.client(follower!, other!, leader).propose(revoke("b"));
    expect(result.jti).toBe("b");
    expect(leader.store.hasKey("t/a")).toBe(false);
    expect(leader.store.hasKey("t/b")).toBe(true);
  });

  it("without a leader nobody takes it, and nothing of it is there later", async () => {
    cluster = await startTestingCluster({ size: 3 });
    const [one, two] = await followersOf();
    const leader = await cluster.leader();
    await cluster.stop(leader.id);
    await cluster.stop(two!.id);
    await until(() => one!.log.status().leaderId === null);
    expect(await codeOf(cluster.client(one!).propose(revoke("lost")))).toBe("not_proposed");
    await cluster.start(two!.id);
    await cluster.client().propose(revoke("kept"));
    expect((await cluster.leader()).store.hasKey("t/lost")).toBe(false);
  });

  it("a leader that is gone before the send costs an election, not the write", async () => {
    cluster = await startTestingCluster({ size: 3 });
    const leader = await cluster.leader();
    const client = cluster.client(leader, ...(await followersOf()));
    await client.propose(revoke("a"));
    await cluster.stop(leader.id);
    expect((await client.propose(revoke("b"))).result.jti).toBe("b");
  });

  it("a leader cut off after it took the write: unknown without a key, found or done anew with one", async () => {
    cluster = await startTestingCluster({ size: 3, limits: { proposeTimeoutMs: 300 } });
    const leader = await cluster.leader();
    const others = await followersOf();
    cluster.network.isolate(leader.id, true);
    const alone = cluster.client(leader);
    const before = leader.log.status().lastIndex;
    const [plain, keyed] = await Promise.all([
      codeOf(alone.propose(revoke("plain"))),
      codeOf(alone.propose(revoke("keyed", "k"))),
    ]);
    expect(leader.log.status().lastIndex).toBeGreaterThan(before);
    expect([plain, keyed]).toEqual(["outcome_unknown", "outcome_unknown"]);
    const rest = cluster.client(...others);
    const first = await rest.propose(revoke("keyed", "k"));
    cluster.network.isolate(leader.id, false);
    const again = await cluster.client().propose(revoke("keyed", "k"));
    expect(again).toMatchObject({ replayed: true, index: first.index });
    // Never committed, so never applied: unknown was the truth, and so would have been the opposite.
    await until(() => leader.store.lastApplied() >= again.index);
    expect(leader.store.hasKey("t/plain")).toBe(false);
  });

  it("a node that stops ends what it took, and refuses what comes after", async () => {
    cluster = await startTestingCluster({ size: 3 });
    const leader = await cluster.leader();
    const client = cluster.client(leader);
    const underway = Array.from({ length: 20 }, (_, i) => codeOf(client.propose(revoke(`u${i}`))));
    await until(() => leader.log.status().lastIndex > 5);
    await cluster.stop(leader.id);
    const outcomes = await Promise.all(underway);
    const next = await cluster.leader();
    await next.log.readBarrier("linearizable");
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome === "accepted") expect(next.store.hasKey(`t/u${i}`)).toBe(true);
      else expect(["not_proposed", "outcome_unknown"]).toContain(outcome);
      if (outcome === "not_proposed") expect(next.store.hasKey(`t/u${i}`)).toBe(false);
    }
    expect(await codeOf(client.propose(revoke("after")))).toBe("not_proposed");
  });

  it("what writers are told holds while leaders are cut off under them", async () => {
    cluster = await startTestingCluster({ size: 3, limits: { proposeTimeoutMs: 500 } });
    const told = new Map<string, string>();
    const stop = new AbortController();
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      const client = cluster.client();
      for (let i = 0; !stop.signal.aborted; i += 1) {
        const jti = `w${writer}-${i}`;
        try {
          await client.propose(revoke(jti));
          told.set(jti, "accepted");
        } catch (error) {
          if (!(error instanceof ConfluxError)) throw error;
          told.set(jti, error.code);
        }
      }
    });
    for (let round = 0; round < 3; round += 1) {
      const leader = await cluster.leader();
      const target = told.size + 10;
      await until(() => told.size >= target);
      cluster.network.isolate(leader.id, true);
      await until(() =>
        [...cluster.members.values()].some(
          ({ log, id }) => id !== leader.id && log.status().role === "leader",
        ),
      );
      cluster.network.isolate(leader.id, false);
    }
    stop.abort();
    await Promise.all(writers);
    const leader = await cluster.leader();
    await createIn(cluster.client(leader), "last.json", "{}");
    const counts = { accepted: 0, not_proposed: 0, outcome_unknown: 0 };
    for (const [jti, code] of told) {
      counts[code as keyof typeof counts] += 1;
      if (code === "accepted") expect(leader.store.hasKey(`t/${jti}`), jti).toBe(true);
      if (code === "not_proposed") expect(leader.store.hasKey(`t/${jti}`), jti).toBe(false);
    }
    expect(Object.keys(counts)).toEqual(["accepted", "not_proposed", "outcome_unknown"]);
    expect(counts.accepted).toBeGreaterThan(20);
  });
});
