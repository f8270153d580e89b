import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ChildLedger, readLedger, reapLeftovers } from "./child-ledger.ts";
import { childrenOf, identify } from "./process-identity.ts";

let dir: string;
let path: string;
const spawned: ChildProcess[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "conflux-ledger-"));
  path = join(dir, "children.json");
});
afterEach(() => {
  for (const child of spawned.splice(0)) child.kill("SIGKILL");
  rmSync(dir, { recursive: true });
});

async function sleeper(script = "console.log(1); setInterval(() => {}, 1000)"): Promise<number> {
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  spawned.push(child);
  await once(child.stdout, "data");
  return child.pid ?? 0;
}

test("what was added and not removed is found again and stopped", async () => {
  const [kept, removed] = [await sleeper(), await sleeper()];
  const ledger = new ChildLedger(path);
  ledger.add(kept);
  ledger.add(removed);
  ledger.remove(removed);
  const reaped = await reapLeftovers(readLedger(path), () => "SIGTERM");
  expect(reaped.map((p) => p.pid)).toEqual([kept]);
  expect(identify(kept)).toBeNull();
  expect(identify(removed)).not.toBeNull();
});

test("a process that ignores the gentle signal is killed", async () => {
  const pid = await sleeper("process.on('SIGTERM', () => {}); console.log(1); setInterval(() => {}, 1000)");
  const ledger = new ChildLedger(path);
  ledger.add(pid);
  await reapLeftovers(readLedger(path), () => "SIGTERM");
  expect(identify(pid)).toBeNull();
});

test("a pid that belongs to another process now is left alone", async () => {
  const pid = await sleeper();
  const now = identify(pid);
  expect(now).not.toBeNull();
  if (!now) return;
  const impostors = [
    { ...now, started: "earlier" },
    { ...now, command: "something else" },
  ];
  expect(await reapLeftovers(impostors, () => "SIGKILL")).toEqual([]);
  expect(identify(pid)).not.toBeNull();
});

test("a missing or torn record is an empty one", () => {
  expect(readLedger(path)).toEqual([]);
  writeFileSync(path, '[{"pid":');
  expect(readLedger(path)).toEqual([]);
  writeFileSync(path, '[{"pid":"1"},null,7]');
  expect(readLedger(path)).toEqual([]);
});

test("children of a process are found with their command lines", async () => {
  const pid = await sleeper();
  expect(childrenOf(process.pid).find((p) => p.pid === pid)?.command).toContain("setInterval");
});
