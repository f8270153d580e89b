import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BASE_COMMAND_KINDS } from "../../domain/command/command-kinds.ts";
import { addNode } from "./cluster-add-node.ts";
import { OWN_ABILITIES } from "./own-abilities.ts";
import { type OperatedCore, startOperatedCore, TESTING_HEAD as head } from "./testing-operations.ts";

let operated: OperatedCore;
beforeEach(async () => {
  operated = await startOperatedCore();
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  operated.close();
});

const PATIENCE_MS = 60_000;
/** Asks for node 4 at an address and lets the time pass that it takes. */
async function ask(address = "h:7504"): Promise<unknown> {
  const asked = addNode(operated.core, { node_id: 4, raft_address: address, head }).catch(
    (error: unknown) => error,
  );
  await vi.advanceTimersByTimeAsync(PATIENCE_MS);
  return asked;
}
/** Node 4 is up, wants in, and listens there. */
function startFour(address = "h:7504"): void {
  operated.askers.set(4, { diskId: "d4", url: "http://h:7404" });
  operated.places.set(address, 4);
}
const four = () => operated.log.members.find(({ nodeId }) => nodeId === 4);
const catchUp = (): void => {
  const { lastIndex } = operated.log.status();
  operated.log.members = operated.log.members.map((member) => ({ ...member, matchIndex: lastIndex }));
};
const recordOf4 = () => operated.book.recordOf(4);

describe("R5 an address is dialled before it is taken down", () => {
  it("a node that is there is recorded, and votes once it has caught up", async () => {
    startFour();
    operated.log.onChangeMembership = catchUp;
    expect(await ask()).toMatchObject({ node_id: 4, role: "voter" });
    expect(recordOf4()).toMatchObject({ raft_address: "h:7504", disk_id: "d4", url: "http://h:7404" });
    expect(operated.log.memberships.map(({ voters }) => voters)).toEqual([
      [1, 2, 3],
      [1, 2, 3, 4],
    ]);
  });

  it("a learner that has lost its disk is made no voter", async () => {
    startFour();
    operated.log.onChangeMembership = () => {
      catchUp();
      operated.fenced.add(4);
    };
    expect(await ask()).toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/node 4 has lost its disk .* under a new id/) as unknown,
    });
    expect(operated.log.memberships).toEqual([{ voters: [1, 2, 3], learners: [4] }]);
    expect(four()?.voter).toBe(false);
  });

  it.each<[string, string, RegExp]>([
    ["where nobody listens", "h:9", /node 4 does not answer at h:9 \(nobody listens there\)/],
    ["where another node is", "h:7505", /node 4 does not answer at h:7505 \(the certificate is of node 5\)/],
  ])("an address %s is refused, and nothing has changed", async (_name, address, says) => {
    startFour();
    operated.places.set("h:7505", 5);
    expect(await ask(address)).toMatchObject({
      code: "conflict",
      message: expect.stringMatching(says) as unknown,
    });
    expect(recordOf4()).toBeUndefined();
    expect([operated.kinds(), operated.log.memberships]).toEqual([[], []]);
    // The right one is taken afterwards, as if nothing had been.
    expect(await ask()).toMatchObject({ node_id: 4 });
  });

  it("a node that answers, but does not ask to be let in, is not admitted", async () => {
    operated.places.set("h:7504", 4);
    expect(await ask()).toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/answers at h:7504, but was not heard of within 5 s/) as unknown,
    });
    expect(operated.kinds()).toEqual([]);
  });

  it("a node that neither answers nor asks: the answer says both", async () => {
    expect(await ask()).toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/nobody listens there.* was not heard of: start it/) as unknown,
    });
  });
});

describe("R5 the address of a node that is admitted already", () => {
  /** As a build admitted it that dialled nobody, or before it moved. */
  async function admitAt(address: string): Promise<void> {
    startFour(address);
    await ask(address);
    operated.places.delete(address);
  }

  it("is corrected when it answers at the new one and not at the old", async () => {
    await admitAt("h:9");
    operated.places.set("h:7504", 4);
    expect(await ask()).toMatchObject({ node_id: 4 });
    expect(recordOf4()).toEqual({
      node_id: 4,
      raft_address: "h:7504",
      url: "http://h:7404",
      disk_id: "d4",
      removed: false,
    });
    expect(operated.kinds().at(-1)).toBe("move_node");
    expect(operated.book.addressOf(4).peer).toBe("h:7504");
  });

  it("stays when the node answers there, or answers at neither", async () => {
    await admitAt("h:9");
    expect(await ask("h:10")).toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/answers neither at h:9 .* nor at h:10/) as unknown,
    });
    operated.places.set("h:9", 4).set("h:10", 4);
    expect(await ask("h:10")).toMatchObject({ code: "already_exists", message: "node 4 is at h:9" });
    expect(recordOf4()?.raft_address).toBe("h:9");
  });

  it("never becomes another member's, nor a removed node's", async () => {
    await admitAt("h:9");
    expect(await ask("h:7502")).toMatchObject({
      code: "already_exists",
      message: "node 2 is at h:7502 already",
    });
    expect(recordOf4()?.raft_address).toBe("h:9");
  });

  it("is not corrected while a voter's build does not know of such corrections", async () => {
    await admitAt("h:9");
    operated.places.set("h:7504", 4);
    operated.abilities.set(3, { ...OWN_ABILITIES, build: "0.0", commandKinds: BASE_COMMAND_KINDS });
    expect(await ask()).toMatchObject({
      code: "upgrade_in_progress",
      message: expect.stringContaining("node 3 (build 0.0)") as unknown,
    });
    expect(recordOf4()?.raft_address).toBe("h:9");
  });

  it("of a founder that the state does not know is the environment's to say", async () => {
    const asked = addNode(operated.core, { node_id: 2, raft_address: "h:9", head });
    await expect(asked).rejects.toMatchObject({ code: "already_exists", message: "node 2 is at h:7502" });
  });
});

describe("R5 a node votes once a round of replication was short", () => {
  const LATE_MS = 2_000;

  it("a round that took long is followed by another, to what the log has by then", async () => {
    startFour();
    const { log } = operated;
    const asked = addNode(operated.core, { node_id: 4, raft_address: "h:7504", head });
    await vi.advanceTimersByTimeAsync(LATE_MS);
    expect(four()).toMatchObject({ voter: false, matchIndex: 0 });
    // It has reached what there was when the round began; meanwhile the log has grown.
    const target = log.status().lastIndex;
    log.changes = { lastIndex: target + 100 };
    const reach = (matchIndex: number): void => {
      log.members = log.members.map((member) => (member.nodeId === 4 ? { ...member, matchIndex } : member));
    };
    reach(target);
    await vi.advanceTimersByTimeAsync(LATE_MS);
    expect(four()).toMatchObject({ voter: false });
    // The second round was long too; the third has nothing left to do.
    reach(target + 100);
    await vi.advanceTimersByTimeAsync(LATE_MS);
    expect(await asked).toMatchObject({ role: "voter", match_index: target + 100 });
  });

  it("one that does not get there in time stays a learner, and the same request goes on with it", async () => {
    startFour();
    expect(await ask()).toMatchObject({ role: "learner", match_index: 0 });
    expect(operated.log.memberships).toEqual([{ voters: [1, 2, 3], learners: [4] }]);
    catchUp();
    expect(await ask()).toMatchObject({ role: "voter" });
    expect(operated.kinds().filter((kind) => kind === "register_node")).toHaveLength(4);
  });
});

describe("R5 the leader dies between learner and voter", () => {
  it("the request says that it leads no more; repeated on the next leader it only finishes", async () => {
    startFour();
    const { log } = operated;
    // Deposed in the instant in which the learner is in force.
    log.onChangeMembership = () => {
      log.changes = { role: "follower", leaderId: 2 };
    };
    expect(await ask()).toMatchObject({ name: "NotProposedError", leaderId: 2 });
    expect(four()).toMatchObject({ voter: false });
    const before = operated.kinds();
    log.onChangeMembership = () => undefined;
    log.changes = {};
    operated.askers.delete(4);
    catchUp();
    expect(await ask()).toMatchObject({ role: "voter" });
    expect(operated.kinds()).toEqual(before);
    expect(log.memberships.at(-1)).toEqual({ voters: [1, 2, 3, 4], learners: [] });
  });
});
