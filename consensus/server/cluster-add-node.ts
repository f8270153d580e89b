/**
 * Adds a node to the running cluster, step by step; each step is in the log or the membership, so a request that is repeated,
 * here or on another leader, goes on where the last one ended:
 * 1. the node is heard of and says which disk is its own; 2. its record is committed, so every member knows it;
 * 3. it is a learner and catches up; 4. it is a voter.
 * Invariant: it votes only once it has nearly all of the log (Ongaro's thesis, 4.2.1), so that the commit of no write waits
 * for its catching up.
 */
import type { AddNodeAnswer, AddNodeInput, OperationHead } from "../../contracts/core/cluster-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { NodeRecord } from "../../domain/cluster/node-record.ts";
import { proposeOperation, requireLeader, waitFor } from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";
import { parsePeerAddress } from "./peer-book.ts";

/** How long a node may take to be heard of. */
const CONTACT_MS = 5_000;
/** How long one request waits for it to catch up. */
const CATCH_UP_MS = 12_000;
/** A round sends what was in the log when it began; one as short as this means that the next would be no longer. */
const ROUND_SHORT_MS = 500;
const LOOK_EVERY_MS = 25;

/**
 * Answers once the node votes, or as a learner when it has not caught up in time. Throws `already_exists` for an id that was
 * used, `conflict` for a node that is not heard of or where none can be added, and what the log throws.
 */
export async function addNode(core: CoreContext, input: AddNodeInput): Promise<AddNodeAnswer> {
  await requireLeader(core);
  const { node_id: nodeId, raft_address: address, head } = input;
  if (!core.book.hasStreams) {
    throw new ConfluxError("conflict", "this core is of one node that was started alone: it has no peers");
  }
  checkRecord(core, nodeId, address);
  if (core.book.recordOf(nodeId) === undefined && !core.book.isMember(nodeId)) {
    await admit(core, head, { nodeId, address });
  }
  if (!core.book.isMember(nodeId)) {
    const { voters, learners } = membership(core);
    await core.log.changeMembership({ voters, learners: [...learners, nodeId] });
  }
  if (memberOf(core, nodeId)?.voter !== true && (await catchesUp(core, nodeId))) {
    const { voters, learners } = membership(core);
    await core.log.changeMembership({
      voters: [...voters, nodeId],
      learners: learners.filter((id) => id !== nodeId),
    });
  }
  return answer(core, nodeId);
}

function checkRecord(core: CoreContext, nodeId: number, address: string): void {
  const record = core.book.recordOf(nodeId);
  if (record?.removed === true) {
    throw new ConfluxError("already_exists", `node ${nodeId} was a member once: its id is never used again`);
  }
  const known = core.book.isMember(nodeId) ? core.addressOf(nodeId).peer : (record?.raft_address ?? address);
  if (known !== address) throw new ConfluxError("already_exists", `node ${nodeId} is at ${known}`);
  const other = core.log
    .status()
    .members.find((member) => member.nodeId !== nodeId && core.addressOf(member.nodeId).peer === address);
  if (other !== undefined) {
    throw new ConfluxError("already_exists", `node ${other.nodeId} is at ${address} already`, {
      errors: [{ path: "/raft_address", message: "the address of another member" }],
    });
  }
}

/** Hears what the node says of itself and writes it down, after the members that the state does not know yet. */
async function admit(
  core: CoreContext,
  head: OperationHead,
  { nodeId, address }: { nodeId: number; address: string },
): Promise<void> {
  const peer = parsePeerAddress(address);
  if (peer === null) throw new ConfluxError("malformed_request", `${address} is no address`);
  core.book.expect({ nodeId, ...peer });
  try {
    const look = (): ReturnType<typeof core.book.requestOf> | null => core.book.requestOf(nodeId) ?? null;
    const asked = await waitFor(look, performance.now() + CONTACT_MS, LOOK_EVERY_MS);
    if (asked === null || asked === undefined) {
      throw new ConfluxError(
        "conflict",
        `node ${nodeId} at ${address} was not heard of within ${CONTACT_MS / 1000} s, nothing has changed: start it with CONFLUX_JOIN=1, then ask again`,
      );
    }
    for (const record of unrecorded(core)) await proposeOperation(core, head, "register_node", record);
    await proposeOperation(core, head, "register_node", {
      node_id: nodeId,
      raft_address: address,
      url: asked.url,
      disk_id: asked.diskId,
    });
  } finally {
    core.book.expectNoMore(nodeId);
  }
}

/** Members that the environment alone names: whoever comes later learns of them from the state. */
function unrecorded(core: CoreContext): Omit<NodeRecord, "removed">[] {
  return core.log
    .status()
    .members.filter(({ nodeId }) => core.book.recordOf(nodeId) === undefined)
    .map(({ nodeId }) => {
      const { peer, url } = core.addressOf(nodeId);
      return { node_id: nodeId, raft_address: peer, url, disk_id: "" };
    });
}

/** Rounds of replication until one is short enough; false when the time is over before. */
async function catchesUp(core: CoreContext, nodeId: number): Promise<boolean> {
  const deadlineMs = performance.now() + CATCH_UP_MS;
  for (;;) {
    const startedMs = performance.now();
    const target = core.log.status().lastIndex;
    const reached = await waitFor(
      () => {
        // A leader that was deposed meanwhile knows of nobody's progress.
        if (core.log.status().role !== "leader") return "deposed";
        return (memberOf(core, nodeId)?.matchIndex ?? 0) >= target ? "reached" : null;
      },
      deadlineMs,
      LOOK_EVERY_MS,
    );
    if (reached !== "reached") {
      if (reached === "deposed") await requireLeader(core);
      return false;
    }
    if (performance.now() - startedMs <= ROUND_SHORT_MS) return true;
  }
}

function answer(core: CoreContext, nodeId: number): AddNodeAnswer {
  const member = memberOf(core, nodeId);
  return {
    ...core.position(),
    node_id: nodeId,
    role: member?.voter === true ? "voter" : "learner",
    match_index: member?.matchIndex ?? 0,
    last_index: core.log.status().lastIndex,
  };
}

function memberOf(core: CoreContext, nodeId: number) {
  return core.log.status().members.find((member) => member.nodeId === nodeId);
}

/** The members by what they are. */
export function membership(core: CoreContext): { voters: number[]; learners: number[] } {
  const { members } = core.log.status();
  const ids = (voter: boolean): number[] => members.filter((m) => m.voter === voter).map((m) => m.nodeId);
  return { voters: ids(true), learners: ids(false) };
}
