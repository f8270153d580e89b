import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openRaftLog } from "./raft-log.ts";
import type { Message } from "./raft/types.ts";
import type { StateMachine } from "./replicated-log.ts";
import { withoutWritevSynced } from "./storage/faulty-file-layer.testing.ts";
import { memoryFileLayer } from "./storage/memory-file-layer.testing.ts";
import type { Receive, SnapshotMessage } from "./transport/transport.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-installing-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A snapshot up to `index`, and its file, which says so. */
function arriving(from: number, term: number, index: number): [SnapshotMessage, string] {
  const path = join(root, `arrived-${from}-${index}`);
  writeFileSync(path, String(index));
  const membership = { voters: [1, 2, 3], outgoing: [], learners: [] };
  return [{ type: "snapshot", from, to: 1, term, meta: { index, term, membership } }, path];
}

it("R4 a snapshot that arrives while another is being installed is refused, and harms neither", async () => {
  const installed: number[] = [];
  const machine: StateMachine<null> = {
    lastApplied: () => installed.at(-1) ?? 0,
    apply: (entries) => entries.map(() => null),
    install: (path, index) => {
      expect(readFileSync(path, "utf8")).toBe(String(index));
      installed.push(index);
      rmSync(path);
    },
    close: () => undefined,
  };
  let receive: Receive = () => undefined;
  const sent: Message[] = [];
  const files = memoryFileLayer();
  let duringSync: () => void = () => undefined;
  const fatal: Error[] = [];
  const directory = join(root, "node");
  const log = await openRaftLog<null>({
    nodeId: 1,
    directory,
    members: [1, 2, 3],
    stateMachine: machine,
    transport: {
      send: (messages) => void sent.push(...messages),
      sendSnapshot: () => Promise.resolve(),
      onMessage: (to) => {
        receive = to ?? (() => undefined);
      },
      onUnreachable: () => undefined,
    },
    onFatal: (error) => fatal.push(error),
    host: {
      files: {
        ...files,
        open: async (path, mode) => {
          const file = await files.open(path, mode);
          return {
            ...withoutWritevSynced(file),
            datasync: () => {
              duringSync();
              return file.datasync();
            },
          };
        },
      },
    },
  });
  void log.start();
  const replies = () =>
    sent.flatMap((m) => (m.type === "snapshot_reply" ? [[m.to, m.term, m.ok, m.matchIndex]] : []));
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds() && fatal.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  // The write of the first is under way when the next leader's arrives.
  duringSync = () => {
    duringSync = () => undefined;
    receive(...arriving(3, 6, 90));
  };
  receive(...arriving(2, 5, 50));
  await until(() => replies().length === 2);
  expect(fatal).toEqual([]);
  expect(installed).toEqual([50]);
  expect(replies()).toEqual([
    [3, 6, false, 0],
    [2, 5, true, 50],
  ]);
  // Sent again, it is installed.
  receive({ type: "heartbeat", from: 3, to: 1, term: 6, commit: 0, readContext: 0 });
  await until(() => sent.some((m) => m.type === "heartbeat_reply"));
  receive(...arriving(3, 6, 90));
  await until(() => replies().length === 3);
  expect(installed).toEqual([50, 90]);
  expect(replies()[2]).toEqual([3, 6, true, 90]);
  await log.stop();
  expect(readdirSync(join(directory, "snapshot"))).toEqual([]);
});
