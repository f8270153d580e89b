import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import type { MembershipTarget, ReplicatedLogStatus } from "../replicated-log.ts";
import { StateStore } from "../state/state-store.ts";
import type { PeerAddress } from "../transport/peer-address.ts";
import type { CoreContext } from "./core-context.ts";
import { type JoinRequest, PeerBook } from "./peer-book.ts";
import { OWN_ABILITIES } from "./own-abilities.ts";
import type { PeerAbilities } from "./peer-knowledge.ts";
import { TestingLog } from "./testing-log.ts";

export const TESTING_HEAD = {
  actor: { type: "user" as const, id: "u-1", name: "ada" },
  ip: "127.0.0.1",
  trace_id: "0".repeat(31) + "1",
};

type Member = ReplicatedLogStatus["members"][number];

/** A log whose members are what a test says; a change of membership is in force at once. */
class OperatedLog extends TestingLog<ApplyOutcome> {
  members: Member[] = [];
  /** What differs from a leader in order. */
  changes: Partial<ReplicatedLogStatus> = {};
  readonly memberships: MembershipTarget[] = [];
  /** Who takes leadership when it is handed over; an error: nobody does. */
  takesOver: (target: number | undefined) => { leaderId: number; term: number } = () => {
    throw new Error("no test asked for this");
  };
  onChangeMembership: () => void = () => undefined;

  override async changeMembership(next: MembershipTarget): Promise<{ index: number; term: number }> {
    this.memberships.push(next);
    const all = [...next.voters, ...next.learners];
    this.members = all.map((nodeId) => ({
      ...(this.members.find((member) => member.nodeId === nodeId) ?? { nodeId, matchIndex: 0, active: true }),
      voter: next.voters.includes(nodeId),
    }));
    this.onChangeMembership();
    return { index: this.status().lastIndex, term: 1 };
  }

  override async transferLeader(target?: number): Promise<{ leaderId: number; term: number }> {
    return this.takesOver(target);
  }

  override status(): ReplicatedLogStatus {
    return { ...super.status(), members: this.members, ...this.changes };
  }
}

export interface OperatedCore {
  core: CoreContext;
  log: OperatedLog;
  store: StateStore;
  book: PeerBook;
  /** Who answers where, by `host:port`; any other address is refused. */
  places: Map<string, number>;
  /** What nodes that are not admitted said of themselves. */
  askers: Map<number, JoinRequest>;
  abilities: Map<number, PeerAbilities>;
  /** Nodes that say they have lost their disk. */
  fenced: Set<number>;
  /** Kinds of the commands applied, in order. */
  kinds: () => string[];
  close: () => void;
}

/** A core whose operations run on a real state, with members, peers and their answers as a test says. Node 1 leads 1, 2, 3. */
export async function startOperatedCore(): Promise<OperatedCore> {
  const directory = mkdtempSync(join(tmpdir(), "conflux-operations-"));
  const store = new StateStore({ path: join(directory, "state.db"), clusterId: "c1", journal: "wal" });
  const log = new OperatedLog(store);
  await log.start();
  log.members = [1, 2, 3].map((nodeId) => ({ nodeId, matchIndex: 0, voter: true, active: true }));
  const named = [1, 2, 3].map((id) => ({
    nodeId: id,
    host: "h",
    port: 7500 + id,
    url: `http://h:${7400 + id}`,
  }));
  const book = new PeerBook(1, named);
  const places = new Map(named.map(({ nodeId, port }) => [`h:${port}`, nodeId]));
  const askers = new Map<number, JoinRequest>();
  const fenced = new Set<number>();
  const abilities = new Map([2, 3].map((id) => [id, OWN_ABILITIES]));
  book.useStreams({
    setPeers: () => undefined,
    probe: async ({ nodeId, host, port }: PeerAddress) => {
      const there = places.get(`${host}:${port}`);
      if (there === undefined) throw new Error("nobody listens there");
      if (there !== nodeId) throw new Error(`the certificate is of node ${there}`);
    },
  });
  book.useState(store);
  book.useMembers(() => log.members.map((member) => member.nodeId));
  book.requestOf = (id) => askers.get(id);
  const core = {
    clusterId: "c1",
    store,
    log,
    book,
    clock: { stampMs: (lastMs: number) => lastMs + 1 },
    peers: {
      abilitiesOf: (id: number) => abilities.get(id) ?? null,
      isFenced: (id: number) => fenced.has(id),
    },
    position: () => ({ cluster_id: "c1", epoch: store.epoch(), index: store.index() }),
    addressOf: (id: number) => book.addressOf(id),
  } as unknown as CoreContext;
  return {
    core,
    log,
    store,
    book,
    places,
    askers,
    abilities,
    fenced,
    kinds: () => [...store.feed().entriesAfter(0)].map(({ entry }) => entry.kind),
    close: () => {
      store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
