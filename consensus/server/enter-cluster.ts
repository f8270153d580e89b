import type { NodeId } from "../raft/types.ts";
import type { FoundingChannel } from "../transport/tls-transport.ts";
import type { Logger } from "./core-context.ts";
import { Founding } from "./found-cluster.ts";
import { readFoundingRecord } from "./founding-record.ts";
import { JoinDesk, Joining, readJoinMessage } from "./join-cluster.ts";
import type { PeerBook } from "./peer-book.ts";
import type { CoreEnvironment } from "./read-environment.ts";
import type { PeerEnvironment } from "./read-peers.ts";

/** How a node enters its cluster, and lets others in afterwards. */
export interface ClusterEntry {
  /** Resolves when the log may be opened, and how. */
  begin(): Promise<{ members: NodeId[]; fenced: boolean; hasLog: boolean; joins: boolean }>;
  /** The log is made. */
  noteLog(): void;
  close(): void;
}

/** Founds the cluster together with the others, or joins one that is there; both talk over one channel. */
export function enterCluster(options: {
  env: CoreEnvironment;
  peers: PeerEnvironment;
  book: PeerBook;
  channel: FoundingChannel;
  logger: Logger;
}): ClusterEntry {
  const { env, peers, book, channel, logger } = options;
  const { nodeId, dataDirectory: directory } = env;
  const known = readFoundingRecord(directory);
  const joins = known === null ? peers.joins : known.disk_id !== undefined;
  let hearFounding: ((from: NodeId, payload: Buffer) => void) | null = null;
  const own: FoundingChannel = {
    sendFounding: (to, payload) => channel.sendFounding(to, payload),
    connected: () => channel.connected(),
    onFounding: (receive) => {
      hearFounding = receive;
    },
  };
  const desk = new JoinDesk(channel, {
    recordOf: (id) => book.recordOf(id),
    isMember: (id) => book.isMember(id),
  });
  book.requestOf = (id) => desk.requestOf(id);
  const url = peers.members.find((member) => member.nodeId === nodeId)?.url ?? "";
  const joining = joins ? new Joining({ nodeId, url, directory, channel, logger }) : null;
  const expected = peers.members.map((member) => member.nodeId);
  const isRemoved = (id: NodeId): boolean => book.recordOf(id)?.removed === true && !book.isMember(id);
  const founding = joins
    ? null
    : new Founding({ nodeId, expected, directory, channel: own, isRemoved, logger });
  channel.onFounding((from, payload) => {
    const message = readJoinMessage(payload);
    if (message === null) {
      hearFounding?.(from, payload);
      return;
    }
    joining?.take(message);
    desk.take(from, message);
  });
  if (joins) book.refresh();
  return {
    begin: async () => {
      if (founding !== null) return { ...(await founding.begin()), joins: false };
      const { fenced } = await joining!.begin();
      return { members: [], fenced, hasLog: false, joins: known?.state !== "joined" };
    },
    noteLog: () => {
      founding?.noteLog();
      joining?.noteLog();
    },
    close: () => {
      founding?.close();
      joining?.close();
      channel.onFounding(null);
    },
  };
}
