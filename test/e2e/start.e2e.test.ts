import { type Server, createServer } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  type Place,
  launchStack,
  makePlace,
  processesOf,
  startRefused,
  startStack,
  until,
} from "../testing/stack.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function place(): Promise<Place> {
  const made = await makePlace();
  cleanups.push(() => made.remove());
  return made;
}

/** What an orderly stop may take on a busy machine. */
const STOP_MS = 15_000;
const sentence = (text: string): RegExp => new RegExp(`^${text}\\n$`);

test.each([
  ["CONFLUX_EDGE_PORT", "edge"],
  ["CONFLUX_ADMIN_PORT", "admin"],
  ["CONFLUX_LAMBDA_PORT", "lambda"],
  ["CONFLUX_CORE_PORT", "core"],
] as const)("a taken port is refused in one sentence that names %s", async (variable, part) => {
  const { env, ports, dataDir } = await place();
  const server = await new Promise<Server>((done) => {
    const listening = createServer().listen(ports[part], "127.0.0.1", () => done(listening));
  });
  cleanups.push(() => server.close());
  const refused = await startRefused(env);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    sentence(`Port ${ports[part]} is taken by another program; set ${variable} to a free one.`),
  );
  expect(refused.stdout).toBe("");
  expect(processesOf(dataDir)).toEqual([]);
});

test("a data directory that is a file, or below one, is refused in one sentence", async () => {
  const { env } = await place();
  const dir = mkdtempSync(join(tmpdir(), "conflux-file-"));
  cleanups.push(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "file"), "mine");
  for (const path of [join(dir, "file"), join(dir, "file/data")]) {
    const refused = await startRefused({ ...env, CONFLUX_DATA_DIR: path });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      sentence(`The data directory ${path} cannot be used: .*; set CONFLUX_DATA_DIR to another.`),
    );
  }
});

test("settings that make no sense are refused in one sentence each", async () => {
  const { env } = await place();
  const nodes = await startRefused({ ...env, CONFLUX_NODES: "2" });
  expect([nodes.code, nodes.stderr.split("\n").length]).toEqual([1, 2]);
  expect(nodes.stderr).toContain("CONFLUX_NODES");
});

test("a second instance on the same data is refused and does the first no harm", async () => {
  const first = await place();
  // It builds in its own data directory, as a user's does; the other stacks of the tests share theirs.
  const stack = await startStack({ place: first, env: { CONFLUX_BUILD_DIR: "", NODE_COMPILE_CACHE: "" } });
  const refused = await startRefused({ ...(await place()).env, CONFLUX_DATA_DIR: first.dataDir });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    sentence(`Process ${stack.process.pid} already runs Conflux on ${first.dataDir}; stop it, .*`),
  );
  expect((await fetch(`${stack.dev.edge_url}/healthz`)).status).toBe(200);
  expect(await stack.stop()).toBe(0);
});

test("Ctrl-C during the start stops what had been started", async () => {
  const { env, dataDir } = await place();
  const { child, exited, text } = launchStack(env);
  // The supervisor, initdb or Postgres, and the first of the others.
  await until(() => processesOf(dataDir).length >= 3, "its first children");
  child.kill("SIGINT");
  expect(await exited, text()).toBe(0);
  expect(processesOf(dataDir)).toEqual([]);
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s to the npm of npm start alone stops everything",
  async (signal) => {
    const { env, dataDir } = await place();
    const { child, exited, text } = launchStack(env, { npm: true });
    // Of a stack that outlives its npm, the supervisor ends the rest.
    cleanups.unshift(() => {
      for (const { pid, command } of processesOf(dataDir))
        if (command.includes("dev/start.ts")) process.kill(pid);
    });
    await until(() => text().includes("Conflux is ready"), "the stack", 60_000);
    child.kill(signal);
    await until(() => processesOf(dataDir).length === 0, "its end", STOP_MS);
    expect(await exited, text()).toBe(0);
  },
);

test("Ctrl-C leaves nothing running, exits with 0 and keeps the state; a third start is as the second", async () => {
  const mine = await place();
  const tokens: string[] = [];
  for (let start = 0; start < 3; start += 1) {
    const stack = await startStack({ place: mine });
    tokens.push(stack.dev.client_token);
    expect(stack.output().includes("admin / ")).toBe(start === 0);
    expect(await stack.stop()).toBe(0);
    expect(processesOf(mine.dataDir)).toEqual([]);
  }
  expect(new Set(tokens).size).toBe(1);
});
