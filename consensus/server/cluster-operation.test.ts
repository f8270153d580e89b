import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NotProposedError } from "../replicated-log.ts";
import { addNode } from "./cluster-add-node.ts";
import { removeNode } from "./cluster-remove-node.ts";
import { takeSnapshot } from "./cluster-snapshot.ts";
import { transferLeader } from "./cluster-transfer-leader.ts";
import { type OperatedCore, startOperatedCore, TESTING_HEAD as head } from "./testing-operations.ts";

let operated: OperatedCore;
beforeEach(async () => {
  operated = await startOperatedCore();
  const { log, askers, places } = operated;
  askers.set(4, { diskId: "d4", url: "http://h:7404" });
  places.set("h:7504", 4);
  // Whoever is let in has caught up, and everyone answers every round.
  log.onChangeMembership = () => {
    const matchIndex = log.status().lastIndex;
    log.members = log.members.map((member) => ({ ...member, matchIndex, answeredRound: 1 }));
  };
  log.members = log.members.map((member) => ({ ...member, answeredRound: 1 }));
});
afterEach(() => operated.close());

const key = (digest = "d1") => ({ scope: "k", digest });
const add = (idempotency = key()) =>
  addNode(operated.core, { node_id: 4, raft_address: "h:7504", head, idempotency });
const remove = (idempotency = key()) => removeNode(operated.core, { node_id: 3, head, idempotency });
const snapshot = (idempotency = key()) => takeSnapshot(operated.core, { head, idempotency });
const handOver = (idempotency = key()) => transferLeader(operated.core, { head, idempotency });
/** Another node leads now: this one is it, from the next entry on. */
function nextLeadership(): void {
  operated.log.changes = { leaderSince: operated.log.status().lastIndex + 1, term: 2 };
}

describe("C12 R5 an operation under an idempotency key", () => {
  it.each<[string, (idempotency?: ReturnType<typeof key>) => Promise<{ index: number; replayed: boolean }>]>([
    ["add-node", add],
    ["remove-node", remove],
    ["snapshot", snapshot],
  ])("%s is recorded once, its repetition answered as one, another body refused", async (_name, operate) => {
    const first = await operate();
    expect(first.replayed).toBe(false);
    const kinds = operated.kinds();
    const { memberships } = operated.log;
    const changes = memberships.length;
    const again = await operate();
    expect(again).toMatchObject({ replayed: true });
    expect(again.index).toBeLessThanOrEqual(first.index);
    expect([operated.kinds(), memberships.length]).toEqual([kinds, changes]);
    await expect(operate(key("d2"))).rejects.toMatchObject({ code: "idempotency_conflict" });
    expect(await operate({ scope: "k2", digest: "d2" })).toMatchObject({ replayed: false });
  });

  it("one that finds all done keeps its key all the same", async () => {
    await add();
    const other = { scope: "k2", digest: "d1" };
    expect((await add(other)).replayed).toBe(false);
    expect((await add(other)).replayed).toBe(true);
    await expect(add({ ...other, digest: "d2" })).rejects.toMatchObject({ code: "idempotency_conflict" });
    // Without a key nothing is noted of what changes nothing.
    const kinds = operated.kinds();
    await addNode(operated.core, { node_id: 4, raft_address: "h:7504", head });
    expect(operated.kinds()).toEqual(kinds);
  });

  it("what was refused is not remembered", async () => {
    operated.places.delete("h:7504");
    await expect(add()).rejects.toMatchObject({ code: "conflict" });
    operated.places.set("h:7504", 4);
    expect(await add(key("d2"))).toMatchObject({ role: "voter", replayed: false });
  });

  it("a repetition that has something left to do does it, and is no replay", async () => {
    const { log } = operated;
    const finish = log.onChangeMembership;
    log.onChangeMembership = () => {
      log.changes = { role: "follower", leaderId: 2 };
    };
    await expect(add()).rejects.toBeInstanceOf(NotProposedError);
    log.changes = {};
    log.onChangeMembership = finish;
    finish();
    expect(await add()).toMatchObject({ role: "voter", replayed: false });
    expect(await add()).toMatchObject({ role: "voter", replayed: true });
  });
});

describe("C12 R5 transfer-leader under an idempotency key", () => {
  it("hands over once: repeated on the next leader it answers that one", async () => {
    let handed = 0;
    operated.log.takesOver = () => {
      handed += 1;
      return { leaderId: 2, term: 2 };
    };
    const first = await handOver();
    expect(first).toMatchObject({ leader_id: 2, replayed: false });
    nextLeadership();
    expect(await handOver()).toMatchObject({ leader_id: 1, term: 2, replayed: true, index: first.index });
    expect(handed).toBe(1);
    await expect(handOver(key("d2"))).rejects.toMatchObject({ code: "idempotency_conflict" });
    expect(await handOver({ scope: "k2", digest: "d1" })).toMatchObject({ replayed: false });
    expect(handed).toBe(2);
  });

  it("is tried again when nobody took over: the same leadership goes on", async () => {
    operated.log.takesOver = () => {
      throw new NotProposedError("leadership was not taken over in time", 1);
    };
    await expect(handOver()).rejects.toMatchObject({ code: "conflict" });
    operated.log.takesOver = () => ({ leaderId: 3, term: 2 });
    expect(await handOver()).toMatchObject({ leader_id: 3, replayed: false });
    expect(operated.kinds()).toEqual(["note_operation"]);
  });

  it("goes on at whoever leads when this node was deposed meanwhile", async () => {
    operated.log.takesOver = () => {
      operated.log.changes = { role: "follower", leaderId: 3 };
      throw new NotProposedError("this node does not lead", 3);
    };
    await expect(handOver()).rejects.toMatchObject({ name: "NotProposedError", leaderId: 3 });
  });

  it("is refused to a fenced voter, and nothing is noted of it", async () => {
    operated.fenced.add(3);
    const toFenced = transferLeader(operated.core, { target_node_id: 3, head, idempotency: key() });
    await expect(toFenced).rejects.toMatchObject({ code: "conflict", message: /node 3 .* fenced/u });
    expect(operated.kinds()).toEqual([]);
  });

  it("is refused to a voter that does not answer, though it did a moment ago, and nothing is noted of it", async () => {
    operated.log.members = operated.log.members.map((member) =>
      member.nodeId === 3 ? { ...member, active: true, answeredRound: 7 } : member,
    );
    operated.log.changes = { round: 7 };
    const asked: unknown[] = [];
    operated.log.takesOver = (target) => {
      asked.push(target);
      return { leaderId: 3, term: 2 };
    };
    const toHung = () => transferLeader(operated.core, { target_node_id: 3, head, idempotency: key() });
    await expect(toHung()).rejects.toMatchObject({ code: "conflict", message: /node 3 does not answer/u });
    expect([operated.kinds(), asked]).toEqual([[], []]);
    operated.log.members = operated.log.members.map((member) => ({ ...member, answeredRound: 8 }));
    expect(await toHung()).toMatchObject({ leader_id: 3, replayed: false });
  });

  it("to nobody by name goes to who has most of the log among the voters that answer and are not fenced", async () => {
    const add4 = { nodeId: 4, voter: true, active: true, matchIndex: 9, answeredRound: 8 };
    operated.log.members = [
      ...operated.log.members.map((member) =>
        member.nodeId === 3
          ? { ...member, matchIndex: 8, answeredRound: 7 }
          : { ...member, matchIndex: 5, answeredRound: 8 },
      ),
      add4,
      { ...add4, nodeId: 5, matchIndex: 6 },
      { ...add4, nodeId: 6, voter: false, matchIndex: 9 },
    ];
    operated.log.changes = { round: 7 };
    operated.fenced.add(4);
    const asked: unknown[] = [];
    operated.log.takesOver = (target) => {
      asked.push(target);
      return { leaderId: 5, term: 2 };
    };
    // 3 hangs, 4 is fenced, 6 is a learner: of 2 and 5 the latter has more.
    expect(await handOver()).toMatchObject({ leader_id: 5, replayed: false });
    expect(asked).toEqual([5]);
  });

  it("to nobody by name is refused when no other voter answers, or all are fenced, and nothing is noted", async () => {
    operated.log.members = operated.log.members.map((member) => ({ ...member, answeredRound: 7 }));
    operated.log.changes = { round: 7 };
    await expect(handOver()).rejects.toMatchObject({ code: "conflict", message: /no other voter answers/u });
    for (const id of [2, 3]) operated.fenced.add(id);
    await expect(handOver()).rejects.toMatchObject({
      code: "conflict",
      message: /every other voter .* fenced/u,
    });
    expect(operated.kinds()).toEqual([]);
  });

  it("to who leads already is noted once", async () => {
    const stay = () =>
      transferLeader(operated.core, { target_node_id: 1, head, idempotency: { scope: "k", digest: "d" } });
    expect(await stay()).toMatchObject({ leader_id: 1, replayed: false });
    expect(await stay()).toMatchObject({ leader_id: 1, replayed: true });
    expect(operated.kinds()).toEqual(["note_operation"]);
  });
});
