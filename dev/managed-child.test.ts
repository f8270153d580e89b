import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ChildLedger, readLedger } from "./child-ledger.ts";
import { type ChildSpec, ManagedChild } from "./managed-child.ts";
import { identify } from "./process-identity.ts";

let dir: string;
let ledgerPath: string;
const running: ManagedChild[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "conflux-child-"));
  ledgerPath = join(dir, "children.json");
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((child) => child.stop()));
  rmSync(dir, { recursive: true });
});

function make(script: string, changes: Partial<ChildSpec> = {}) {
  const crashes: string[] = [];
  const readies: number[] = [];
  const child = new ManagedChild(
    {
      name: "sample",
      command: process.execPath,
      args: ["-e", script],
      env: process.env,
      cwd: dir,
      ipc: true,
      stopSignal: "SIGTERM",
      isReadyLine: (line) => line === "ready",
      ...changes,
    },
    {
      ledger: new ChildLedger(ledgerPath),
      logPath: join(dir, "sample.log"),
      events: {
        onReady: (_child, restarts) => readies.push(restarts),
        onCrash: (_child, how) => crashes.push(how),
      },
    },
  );
  running.push(child);
  return { child, crashes, readies };
}
const LIVE = "console.log('ready'); setInterval(() => {}, 1000);";

test("a child is started, logged, in the ledger, and gone after a stop", async () => {
  const { child, crashes } = make(LIVE);
  await child.start();
  const pid = child.pid ?? 0;
  expect(readLedger(ledgerPath).map((p) => p.pid)).toEqual([pid]);
  expect(readFileSync(join(dir, "sample.log"), "utf8")).toContain("ready");
  await child.stop();
  expect(identify(pid)).toBeNull();
  expect(readLedger(ledgerPath)).toEqual([]);
  expect(crashes).toEqual([]);
});

test("a killed child is started again and gets its first message again", async () => {
  const { child, crashes, readies } = make(
    "process.once('message', (m) => console.log(m.word)); setInterval(() => {}, 1000);",
    { firstMessage: () => ({ word: "ready" }) },
  );
  await child.start();
  const first = child.pid ?? 0;
  process.kill(first, "SIGKILL");
  await vi.waitFor(() => expect(readies).toEqual([0, 1]), { timeout: 10_000 });
  expect(child.pid).not.toBe(first);
  expect(crashes).toEqual(["killed by SIGKILL"]);
});

test("a child that ends before it is ready fails the start with its last words", async () => {
  const { child, crashes } = make("console.error('no such key'); process.exit(3)");
  await expect(child.start()).rejects.toThrow(
    /sample ended with code 3 before it was ready.*\n.*no such key/s,
  );
  expect(crashes).toEqual([]);
});

test("a command that is not there fails the start", async () => {
  const { child } = make("", { command: join(dir, "nothing") });
  await expect(child.start()).rejects.toThrow(/could not be started.*ENOENT/);
});

test("a child that ignores its stop signal is killed", async () => {
  const { child } = make(`process.on('SIGTERM', () => {}); ${LIVE}`);
  await child.start();
  const pid = child.pid ?? 0;
  await child.stop();
  expect(identify(pid)).toBeNull();
});

test("a stop during the pause of a restart cancels it", async () => {
  const { child, crashes, readies } = make(LIVE);
  await child.start();
  process.kill(child.pid ?? 0, "SIGKILL");
  await vi.waitFor(() => expect(crashes).toHaveLength(1));
  await child.stop();
  expect(child.pid).toBeNull();
  expect(readies).toEqual([0]);
});

test("U1 a crash is told with the last error of the child, a kill without", async () => {
  const { child, crashes } = make(
    `console.log('ready'); process.once('message', () => {
      console.log(JSON.stringify({ level: 'error', error: 'database or disk is full' })); process.exit(1) });`,
  );
  await child.start();
  child.send({ fail: true });
  await vi.waitFor(() => expect(crashes).toEqual(["ended with code 1: database or disk is full"]));
  await vi.waitFor(() => expect(child.pid).not.toBeNull());
  process.kill(child.pid ?? 0, "SIGKILL");
  await vi.waitFor(() => expect(crashes[1]).toBe("killed by SIGKILL"));
});

test("R7 a child that is to be tried on is started again though its first start failed", async () => {
  const { child, readies, crashes } = make(
    `const fs = require('node:fs'); if (fs.existsSync('mended')) { ${LIVE} } else { fs.writeFileSync('mended', '');
      console.error('conflux core: not yet'); process.exit(1); }`,
  );
  await expect(child.start({ keepTrying: true })).rejects.toThrow(/sample ended with code 1/);
  expect(child.lastEnd).toBe("ended with code 1: not yet");
  await vi.waitFor(() => expect(readies).toEqual([1]), { timeout: 10_000 });
  expect([child.lastEnd, crashes]).toEqual([null, ["ended with code 1: not yet"]]);
});
