import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { NodeRecord } from "../../domain/cluster/node-record.ts";
import type { FoundingChannel } from "../transport/tls-transport.ts";
import { EnvironmentError } from "./environment-error.ts";
import { readFoundingRecord } from "./founding-record.ts";
import { JoinDesk, Joining, readJoinMessage } from "./join-cluster.ts";

let directory: string;
let sent: { to: number; message: Record<string, unknown> }[];
let lines: string[];
const open: Joining[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  directory = mkdtempSync(join(tmpdir(), "conflux-join-"));
  sent = [];
  lines = [];
});
afterEach(() => {
  for (const joining of open.splice(0)) joining.close();
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

const channel = (connected: number[]): FoundingChannel => ({
  sendFounding: (to, payload) =>
    void sent.push({ to, message: JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown> }),
  onFounding: () => undefined,
  connected: () => connected,
});
function start(connected = [1, 2]): Joining {
  const joining = new Joining({
    nodeId: 4,
    url: "http://h:7404",
    directory,
    channel: channel(connected),
    logger: ({ msg }) => lines.push(msg),
  });
  open.push(joining);
  return joining;
}
const diskId = (): string => readFoundingRecord(directory)?.disk_id ?? "";

describe("R5 a node that asks to be let in", () => {
  it("asks whoever it reaches, again and again, under the name of its disk, and says so now and then", async () => {
    void start().begin();
    expect(diskId()).toMatch(/^[0-9a-f]{32}$/);
    const ask = { type: "join", disk_id: diskId(), url: "http://h:7404" };
    expect(sent).toEqual([1, 2].map((to) => ({ to, message: ask })));
    await vi.advanceTimersByTimeAsync(4_000);
    expect(sent.length).toBeGreaterThan(20);
    expect(lines).toEqual(["waiting to be let into the cluster"]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(lines).toHaveLength(2);
  });

  it("is in once its own disk is admitted, and asks no more; another disk's admission is none", async () => {
    const joining = start();
    const begun = joining.begin();
    joining.take({ type: "join_admitted", disk_id: "another" });
    const before = sent.length;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sent.length).toBeGreaterThan(before);
    joining.take({ type: "join_admitted", disk_id: diskId() });
    expect(await begun).toEqual({ fenced: false });
    const asked = sent.length;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sent).toHaveLength(asked);
    expect(readFoundingRecord(directory)?.state).toBe("joining");
    joining.noteLog();
    expect(readFoundingRecord(directory)?.state).toBe("joined");
  });

  it("keeps the name of its disk over a restart before it is in", () => {
    start();
    const first = diskId();
    start();
    expect(diskId()).toBe(first);
  });

  it("that is fenced follows, says so, and stays fenced over restarts and admissions", async () => {
    const joining = start();
    const begun = joining.begin();
    joining.take({ type: "join_fenced" });
    expect(await begun).toEqual({ fenced: true });
    expect(lines.at(-1)).toContain("it will follow and never vote");
    joining.noteLog();
    const again = start();
    again.take({ type: "join_admitted", disk_id: diskId() });
    expect(await again.begin()).toEqual({ fenced: true });
  });

  it("whose id is used up ends with the reason", async () => {
    const joining = start();
    const begun = joining.begin();
    joining.take({ type: "join_refused", reason: "node 4 was a member once" });
    await expect(begun).rejects.toThrow(new EnvironmentError("node 4 was a member once"));
  });
});

describe("R5 a member that is asked", () => {
  const known = (changes: Partial<NodeRecord>): NodeRecord => ({
    node_id: 4,
    raft_address: "h:1",
    url: "",
    disk_id: "d4",
    removed: false,
    ...changes,
  });
  const desk = (record?: NodeRecord, members: number[] = [1, 2, 3]): JoinDesk =>
    new JoinDesk(channel([]), {
      recordOf: (id) => (id === record?.node_id ? record : undefined),
      isMember: (id) => members.includes(id),
    });
  const ask = (at: JoinDesk, disk_id = "d4", from = 4): unknown => {
    sent = [];
    at.take(from, { type: "join", disk_id, url: "http://h:7404" });
    return sent.map(({ to, message }) => [to, message["type"]])[0];
  };

  it.each<[string, JoinDesk, unknown]>([
    ["admits the disk that was admitted", desk(known({})), [4, "join_admitted"]],
    ["fences another disk under the same id", desk(known({ disk_id: "lost" })), [4, "join_fenced"]],
    ["fences a founder that asks to join", desk(undefined, [1, 4]), [4, "join_fenced"]],
    ["refuses an id that was removed", desk(known({ removed: true })), [4, "join_refused"]],
    ["says nothing yet to one that it does not know", desk(), undefined],
  ])("%s", (_name, at, answer) => {
    expect(ask(at)).toEqual(answer);
  });

  it("remembers what one that it does not know said last, of so many at once", () => {
    const at = desk();
    ask(at, "first");
    ask(at, "second");
    expect(at.requestOf(4)).toEqual({ diskId: "second", url: "http://h:7404" });
    for (let id = 10; id < 200; id += 1) ask(at, "d", id);
    const remembered = Array.from({ length: 200 }, (_, id) => at.requestOf(id)).filter(Boolean);
    expect(remembered).toHaveLength(64);
    // Who is among them is heard on.
    ask(at, "third");
    expect(at.requestOf(4)?.diskId).toBe("third");
  });

  it("answers nothing that is no question", () => {
    desk(known({})).take(4, { type: "join_fenced" });
    expect(sent).toEqual([]);
  });
});

describe("the conversation of the first boot", () => {
  it.each([
    [{ type: "join_fenced" }, true],
    [{ type: "hello" }, false],
    [{ type: 1 }, false],
  ])("%o is of the joining one: %s", (message, isJoin) => {
    expect(readJoinMessage(Buffer.from(JSON.stringify(message))) !== null).toBe(isJoin);
  });
});
