import { afterEach, describe, expect, it } from "vitest";
import { testCommand } from "../../domain/command/testing-commands.ts";
import { CLOCK_OFF_MAX_MS } from "../state/judge-leader-clock.ts";
import { type ClusterMember, startTestingCluster, type TestingCluster } from "./testing-cluster.ts";

const HOUR_MS = 3_600_000;
/** What the machine's own load may add to a stamp. */
const SLACK_MS = 60_000;
let cluster: TestingCluster;
afterEach(() => cluster.close());

async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 10));
}
const stampOf = async (leader: ClusterMember, jti: string): Promise<number> => {
  const command = testCommand("revoke_token", { jti, expires_at_ms: 9e15 });
  return (await cluster.client(leader).propose({ command, attachments: [] })).timestamp_ms;
};
const knowsAll = (size: number): boolean =>
  [...cluster.members.values()].every(({ peers }) => peers.clocks().length === size - 1);
const handOvers = (): unknown[] =>
  cluster.lines.filter(({ msg }) => msg.startsWith("this leader's clock")).map((line) => line["to"]);
/** Makes `id` lead, whatever its clock. */
async function lead(id: number): Promise<ClusterMember> {
  for (;;) {
    const leader = await cluster.leader();
    if (leader.id === id) return leader;
    await leader.log.transferLeader(id).catch(() => undefined);
  }
}

describe("R9 three nodes of which one has a clock that is an hour wrong", () => {
  it.each([
    ["ahead", HOUR_MS],
    ["behind", -HOUR_MS],
  ])("%s: it hands over, and its stamps meanwhile neither run off nor go back", async (_name, offsetMs) => {
    cluster = await startTestingCluster({ size: 3, clockOffsetsMs: { 2: offsetMs } });
    await until(() => knowsAll(3));
    const before = await stampOf(await cluster.leader(), "before");
    const wrong = await lead(2);
    const during = await stampOf(wrong, "during");
    expect(during).toBeGreaterThanOrEqual(before);
    expect(Math.abs(during - Date.now())).toBeLessThan(CLOCK_OFF_MAX_MS + SLACK_MS);
    await until(() => handOvers().length > 0);
    await until(() => wrong.log.status().role !== "leader");
    const next = await cluster.leader();
    expect([1, 3]).toContain(next.id);
    const after = await stampOf(next, "after");
    expect(after).toBeGreaterThanOrEqual(during);
    expect(Math.abs(after - Date.now())).toBeLessThan(CLOCK_OFF_MAX_MS + SLACK_MS);
  });
});

describe("R9 nobody hands over", () => {
  it("in a cluster of two, where nobody can say whose clock is wrong", async () => {
    cluster = await startTestingCluster({ size: 2, clockOffsetsMs: { 2: HOUR_MS } });
    await until(() => knowsAll(2));
    const leader = await cluster.leader();
    const { term } = leader.log.status();
    await looks(5);
    expect(leader.log.status()).toMatchObject({ role: "leader", term });
    expect(handOvers()).toEqual([]);
  });

  it("more than once when all clocks are scattered: the one in the middle leads and stays", async () => {
    cluster = await startTestingCluster({ size: 3, clockOffsetsMs: { 2: HOUR_MS, 3: -HOUR_MS } });
    await until(() => knowsAll(3));
    await lead(3);
    await until(() => handOvers().length > 0);
    await until(() =>
      [...cluster.members.values()].some(({ id, log }) => id === 1 && log.status().role === "leader"),
    );
    await looks(5);
    expect((await cluster.leader()).id).toBe(1);
    expect(handOvers()).toEqual([1]);
  });

  /** Lets members tell each other how they stand some times more. */
  async function looks(times: number): Promise<void> {
    const [first] = cluster.members.values();
    for (let i = 0; i < times; i += 1) {
      await until(() => first!.peers.clocks()[0]!.ageMs > 500);
      await until(() => first!.peers.clocks()[0]!.ageMs < 500);
    }
  }
});
