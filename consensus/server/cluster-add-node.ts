/**
 * Adds a node to the running cluster, step by step; each step is in the log or the membership, so a request that is repeated,
 * here or on another leader, goes on where the last one ended:
 * 1. the node is heard of and says which disk is its own; 2. its record is committed, so every member knows it;
 * 3. it is a learner and catches up; 4. it is a voter.
 * Invariant: it votes only once it has nearly all of the log (Ongaro's thesis, 4.2.1), so that the commit of no write waits
 * for its catching up.
 */
import type { AddNodeAnswer, AddNodeInput } from "../../contracts/core/cluster-api.ts";
import type { Position } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { NodeRecord } from "../../domain/cluster/node-record.ts";
import {
  answerAt,
  findEarlier,
  noteKey,
  type OperationRequest,
  proposeOperation,
  requireLeader,
  waitFor,
  withKeyOnce,
} from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";
import { type JoinRequest, parsePeerAddress } from "./peer-book.ts";
import type { PeerAddress } from "../transport/peer-address.ts";

/** How long a node may take to be heard of. */
const CONTACT_MS = 5_000;
/** How long whoever is at its address may take to prove that it is the node. */
const PROBE_MS = 3_000;
/** How long one request waits for it to catch up. */
const CATCH_UP_MS = 12_000;
/** A round sends what was in the log when it began; one as short as this means that the next would be no longer. */
const ROUND_SHORT_MS = 500;
const LOOK_EVERY_MS = 25;

interface PlacedNode {
  nodeId: number;
  address: string;
}

/**
 * Answers once the node votes, or as a learner when it has not caught up in time. Another address than the one that is known
 * is taken when the node answers there and not at the one before. Throws `already_exists` for an id that was used or a node
 * that is elsewhere, `conflict` for a node that is not heard of, does not answer at its address, has lost its disk as a
 * learner, or where none can be added, and what the log throws.
 */
export async function addNode(core: CoreContext, input: AddNodeInput): Promise<AddNodeAnswer> {
  await requireLeader(core);
  const earlier = findEarlier(core, input);
  const request = withKeyOnce(input, earlier);
  const { node_id: nodeId, raft_address: address } = input;
  if (!core.book.hasStreams) {
    throw new ConfluxError("conflict", "this core is of one node that was started alone: it has no peers");
  }
  const node = { nodeId, address };
  checkRecord(core, node);
  const known = knownAddress(core, nodeId);
  if (known === null) await admit(core, request, node);
  else if (known !== address) await correct(core, request, { ...node, known });
  else await noteKey(core, request, `node ${nodeId} at ${address} is admitted already`);
  const isMade = await makeVoter(core, nodeId);
  return answer(core, nodeId, answerAt(core, earlier, { worked: isMade || known !== address }));
}

/** Takes the steps in the membership that are left, and says whether there were any. */
async function makeVoter(core: CoreContext, nodeId: number): Promise<boolean> {
  if (memberOf(core, nodeId)?.voter === true) return false;
  if (!core.book.isMember(nodeId)) {
    const { voters, learners } = membership(core);
    await core.log.changeMembership({ voters, learners: [...learners, nodeId] });
  }
  if (await catchesUp(core, nodeId)) {
    if (core.peers.isFenced(nodeId)) {
      throw new ConfluxError(
        "conflict",
        `node ${nodeId} has lost its disk and would never vote: remove it, and add a node under a new id`,
      );
    }
    const { voters, learners } = membership(core);
    await core.log.changeMembership({
      voters: [...voters, nodeId],
      learners: learners.filter((id) => id !== nodeId),
    });
  }
  return true;
}

/** Where a node is that is admitted already; null for one that is not. */
function knownAddress(core: CoreContext, nodeId: number): string | null {
  if (core.book.isMember(nodeId)) return core.addressOf(nodeId).peer;
  return core.book.recordOf(nodeId)?.raft_address ?? null;
}

function checkRecord(core: CoreContext, { nodeId, address }: PlacedNode): void {
  if (core.book.recordOf(nodeId)?.removed === true) {
    throw new ConfluxError("already_exists", `node ${nodeId} was a member once: its id is never used again`);
  }
  const other = core.log
    .status()
    .members.find((member) => member.nodeId !== nodeId && core.addressOf(member.nodeId).peer === address);
  if (other !== undefined) {
    throw new ConfluxError("already_exists", `node ${other.nodeId} is at ${address} already`, {
      errors: [{ path: "/raft_address", message: "the address of another member" }],
    });
  }
}

/**
 * Hears what the node says of itself, looks whether it is where it is said to be (its peers may find out years later: who has
 * the higher id dials), and writes both down, after the members that the state does not know yet.
 */
async function admit(
  core: CoreContext,
  request: OperationRequest,
  { nodeId, address }: PlacedNode,
): Promise<void> {
  const peer = peerAt(nodeId, address);
  core.book.expect(peer);
  try {
    const look = (): JoinRequest | null => core.book.requestOf(nodeId) ?? null;
    const asked = await waitFor(look, performance.now() + CONTACT_MS, LOOK_EVERY_MS);
    const trouble = await core.book.troubleAt(peer, PROBE_MS);
    if (trouble !== null) {
      const heard = asked === null ? ", and was not heard of: start it with CONFLUX_JOIN=1, or" : ":";
      throw new ConfluxError(
        "conflict",
        `node ${nodeId} does not answer at ${address} (${trouble})${heard} check the address, then ask again; nothing has changed`,
      );
    }
    if (asked === null) {
      throw new ConfluxError(
        "conflict",
        `node ${nodeId} answers at ${address}, but was not heard of within ${CONTACT_MS / 1000} s: start it with CONFLUX_JOIN=1, then ask again; nothing has changed`,
      );
    }
    const { head } = request;
    for (const record of unrecorded(core)) await proposeOperation(core, { head }, "register_node", record);
    await proposeOperation(core, request, "register_node", {
      node_id: nodeId,
      raft_address: address,
      url: asked.url,
      disk_id: asked.diskId,
    });
  } finally {
    core.book.expectNoMore(nodeId);
  }
}

/** Takes the address down that the node has, in the place of one at which nobody finds it. */
async function correct(
  core: CoreContext,
  request: OperationRequest,
  { nodeId, address, known }: PlacedNode & { known: string },
): Promise<void> {
  const isAt = new ConfluxError("already_exists", `node ${nodeId} is at ${known}`);
  // What the environment alone says is corrected there.
  if (core.book.recordOf(nodeId) === undefined) throw isAt;
  const [before, now] = await Promise.all(
    [known, address].map((place) => core.book.troubleAt(peerAt(nodeId, place), PROBE_MS)),
  );
  if (before === null) throw isAt;
  if (now !== null) {
    throw new ConfluxError(
      "conflict",
      `node ${nodeId} answers neither at ${known} (${before}) nor at ${address} (${now}); nothing has changed`,
    );
  }
  await proposeOperation(core, request, "move_node", { node_id: nodeId, raft_address: address });
}

/** Throws `malformed_request` for what is no address. */
function peerAt(nodeId: number, address: string): PeerAddress {
  const place = parsePeerAddress(address);
  if (place === null) throw new ConfluxError("malformed_request", `${address} is no address`);
  return { nodeId, ...place };
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

function answer(core: CoreContext, nodeId: number, at: Position & { replayed: boolean }): AddNodeAnswer {
  const member = memberOf(core, nodeId);
  return {
    ...at,
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
