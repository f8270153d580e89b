import { describe, expect, it } from "vitest";
import type { Membership } from "./raft/types.ts";
import { resolveOptions } from "./raft-log-options.ts";
import { Snapshots } from "./raft-log-snapshots.ts";
import type { StateMachine } from "./replicated-log.ts";
import type { Wal } from "./storage/wal.ts";
import type { SnapshotMessage, Transport } from "./transport/transport.ts";

const membership: Membership = { voters: [1, 2], outgoing: [], learners: [] };
const message: SnapshotMessage = {
  type: "snapshot",
  from: 1,
  to: 2,
  term: 1,
  meta: { index: 5, term: 1, membership },
};

/** A sender whose state machine changes its format while it makes a copy, as a restore does. */
function startSender(options: { before: number; copied: number; reads: readonly number[] }) {
  let now = options.before;
  const offers: number[] = [];
  const trouble: string[] = [];
  const failed = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  const stateMachine: StateMachine<unknown> = {
    lastApplied: () => 5,
    apply: () => [],
    get snapshotFormat() {
      return now;
    },
    copyTo: async () => {
      now = options.copied;
      return 5;
    },
    copyFormat: () => options.copied,
    close: () => undefined,
  };
  const transport: Transport = {
    send: () => undefined,
    onMessage: () => undefined,
    onUnreachable: () => undefined,
    sendSnapshot: async (_message, _path, { format }) => {
      offers.push(format);
      sent.resolve();
    },
  };
  const log = { term: () => 1, snapshot: () => message.meta, firstIndex: () => 6, entries: () => [] };
  const snapshots = new Snapshots(
    resolveOptions({
      nodeId: 1,
      directory: "/nowhere",
      members: [],
      stateMachine,
      transport,
      readsSnapshots: (_id, format) => options.reads.includes(format),
      onFatal: (error) => {
        throw error;
      },
      observer: { onSnapshotTrouble: ({ reason }) => trouble.push(reason) },
      host: {
        snapshotFiles: {
          ensureDirectory: () => undefined,
          exists: () => false,
          remove: () => undefined,
          replace: () => undefined,
        },
      },
    }),
    { wal: { log } as unknown as Wal, transport, onFailed: () => failed.resolve() },
  );
  return { snapshots, offers, trouble, failed: failed.promise, sent: sent.promise };
}

describe("R4 the format of a snapshot is that of the copy that is sent", () => {
  it("also when the state's changed while the copy was made", async () => {
    const { snapshots, offers, sent } = startSender({ before: 1, copied: 2, reads: [1, 2] });
    snapshots.send(message);
    await sent;
    expect(offers).toEqual([2]);
    snapshots.close();
  });

  it("and who does not read it is not sent it, though the format before would have done", async () => {
    const { snapshots, offers, trouble, failed } = startSender({ before: 1, copied: 2, reads: [1] });
    snapshots.send(message);
    await failed;
    expect(offers).toEqual([]);
    expect(trouble).toEqual(["it is not known to read snapshots of format 2"]);
    snapshots.close();
  });
});
