import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { codeOf, createIn } from "../../adapters/core-client/testing/core-conformance.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { testRule } from "../../domain/command/testing-commands.ts";
import { TESTING_SERVICE_KEY } from "./testing-node.ts";

let directory: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-main-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) await end(child, "SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

interface Spawned {
  child: ChildProcess;
  /** Standard error once the process has ended. */
  stderr: () => string;
  stdout: () => string;
}
function run(env: Record<string, string> = {}, ipc = false): Spawned {
  const child = spawn(process.execPath, [new URL("main.ts", import.meta.url).pathname], {
    env: {
      PATH: process.env["PATH"],
      CONFLUX_CORE_LISTEN_PORT: "0",
      CONFLUX_CORE_DATA_DIR: directory,
      CONFLUX_CORE_SERVICE_KEY: TESTING_SERVICE_KEY,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe", ...(ipc ? ["ipc" as const] : [])],
  });
  children.push(child);
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  let lines = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    lines += chunk;
  });
  return { child, stderr: () => text, stdout: () => lines };
}
/** The URL of the line that says ready; rejects when the process ends before. */
async function ready({ child, stderr }: Spawned): Promise<string> {
  if (child.stdout === null) throw new Error("no standard output");
  for await (const line of createInterface({ input: child.stdout })) {
    const { ready: isReady, url } = JSON.parse(line) as { ready?: boolean; url?: string };
    // Go on reading, so that a full pipe never stops the node.
    if (isReady === true && url !== undefined) {
      child.stdout.resume();
      return url;
    }
  }
  throw new Error(`the node ended before it was ready: ${stderr()}`);
}
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, "exit");
  child.kill(signal);
  const [code] = (await exited) as [number | null];
  return code;
}
const client = (url: string): CoreClient =>
  new CoreClient({ urls: [url], serviceKey: TESTING_SERVICE_KEY, role: "admin" });

describe("a core node as a process", () => {
  it("R3 keeps acknowledged writes over SIGTERM and a second start", async () => {
    const first = run();
    const core = client(await ready(first));
    const { result } = await createIn(core, "a.json", `{"a":1}`, { releases: [testRule(1)] });
    expect(await end(first.child, "SIGTERM")).toBe(0);
    const again = client(await ready(run()));
    expect((await again.getConfig(result.config.id)).config.releases).toEqual([testRule(1)]);
    const feed = await again.edgeFeed({ after: 0, limit: 10, wait_ms: 0 });
    expect(Object.values(feed.blobs)).toEqual([Buffer.from(`{"a":1}`).toString("base64")]);
  });

  it("R3 kill -9 in a stream of writes loses nothing that was acknowledged", async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 2; round += 1) {
      const spawned = run();
      const core = client(await ready(spawned));
      const target = acknowledged.length + 40;
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let i = 0; ; i += 1) {
          const name = `r${round}.w${writer}.${i}`;
          try {
            await createIn(core, name, `{"name":"${name}"}`);
          } catch (error) {
            if (error instanceof ConfluxError) return;
            throw error;
          }
          acknowledged.push(name);
          if (acknowledged.length === target) spawned.child.kill("SIGKILL");
        }
      });
      await Promise.all(writers);
    }
    const core = client(await ready(run()));
    for (const name of acknowledged) {
      expect(await codeOf(core.getConfigByName(`demo/shop/prod/${name}`))).toBe("accepted");
    }
    const { index } = await core.status();
    const feed = await core.feed({ after: 0, limit: 1000, wait_ms: 0, view: "full" });
    expect(feed.entries.length).toBeGreaterThanOrEqual(acknowledged.length);
    expect(feed.last_index).toBeLessThanOrEqual(index);
    feed.entries.forEach((entry, i) => expect(entry.prev_index).toBe(feed.entries[i - 1]?.index ?? 0));
  });

  it("R1 R3 tells who leads, and of a torn end of its log that it cut off, once", async () => {
    const TORN = "ended in a write that was never acknowledged";
    const first = run();
    await createIn(client(await ready(first)), "a.json", `{"a":1}`);
    await end(first.child, "SIGKILL");
    expect(first.stdout()).toContain(`"msg":"node 1 leads term 1"`);
    const path = join(directory, "wal", readdirSync(join(directory, "wal"))[0]!);
    const bytes = readFileSync(path);
    const written = bytes.findLastIndex((byte) => byte !== 0) + 1;
    writeFileSync(path, Buffer.concat([bytes.subarray(0, written + 64), Buffer.from("half a record")]));
    const second = run();
    await ready(second);
    await end(second.child, "SIGTERM");
    const told = second
      .stdout()
      .split("\n")
      .filter((line) => line.includes(TORN));
    expect(told.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({ level: "warn", file: path, bytes_dropped: expect.any(Number) }),
    ]);
    const third = run();
    await ready(third);
    await end(third.child, "SIGTERM");
    expect(third.stdout()).not.toContain(TORN);
  });

  it("ends with the parent that started it with an IPC channel", async () => {
    const spawned = run({}, true);
    const exited = once(spawned.child, "exit");
    await ready(spawned);
    spawned.child.disconnect();
    expect(await exited).toEqual([0, null]);
  });
});

describe("a core node that cannot run says why in one sentence and ends with code 1", () => {
  async function failure(spawned: Spawned): Promise<string> {
    spawned.child.stdout?.resume();
    const [code] = (await once(spawned.child, "close")) as [number | null];
    expect(code).toBe(1);
    expect(spawned.stderr().trim().split("\n")).toHaveLength(1);
    return spawned.stderr();
  }

  it("a directory in use", async () => {
    await ready(run());
    expect(await failure(run())).toContain("is in use by process");
  });

  it("a taken port", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const message = await failure(run({ CONFLUX_CORE_LISTEN_PORT: String(port) }));
    expect(message).toContain(`port ${port} on 127.0.0.1 is taken`);
    server.close();
  });

  it("a data directory that is a file", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    expect(await failure(run({ CONFLUX_CORE_DATA_DIR: file }))).toContain(`${file} cannot be used`);
  });

  it.skipIf(process.getuid?.() === 0)("a data directory it may not write", async () => {
    chmodSync(directory, 0o500);
    expect(await failure(run())).toContain(`${directory} cannot be used`);
    chmodSync(directory, 0o700);
  });

  it("a state file that is no database", async () => {
    writeFileSync(
      join(directory, "state.db"),
      "this is not a database, and long enough to be looked at".repeat(9),
    );
    expect(await failure(run())).toContain(
      `${join(directory, "state.db")} is damaged (file is not a database): restore the disk`,
    );
  });

  it("R3 a state whose pages were overwritten", async () => {
    const first = run();
    await createIn(client(await ready(first)), "a.json", `{"a":1}`);
    await end(first.child, "SIGTERM");
    const path = join(directory, "state.db");
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xa5, 4_096));
    expect(await failure(run())).toContain(`${path} is damaged (database disk image is malformed)`);
  });

  it("R3 a state without its log, and one that belongs to another node", async () => {
    const first = run();
    await createIn(client(await ready(first)), "a.json", `{"a":1}`);
    await end(first.child, "SIGTERM");
    expect(await failure(run({ CONFLUX_NODE_ID: "7" }))).toContain(
      `${directory} belongs to node 1, not to node 7: set CONFLUX_NODE_ID to 1`,
    );
    rmSync(join(directory, "wal"), { recursive: true });
    expect(await failure(run())).toMatch(
      /but no log: it was removed or is elsewhere; put back what is missing/,
    );
  });

  it("a peer credential that is not there", async () => {
    const peers = {
      CONFLUX_PEERS: "1=127.0.0.1:7599@http://127.0.0.1:7499",
      CONFLUX_PEER_CA_FILE: join(directory, "nope"),
      CONFLUX_PEER_CERT_FILE: join(directory, "nope"),
      CONFLUX_PEER_KEY_FILE: join(directory, "nope"),
    };
    expect(await failure(run(peers))).toContain("nope cannot be read: ENOENT: no such file or directory");
  });

  it("R3 a log whose middle fails its checksum, and it leaves the log as it was", async () => {
    const first = run();
    const core = client(await ready(first));
    for (let i = 0; i < 20; i += 1) await createIn(core, `n${i}`, `{"n":${i}}`);
    await end(first.child, "SIGKILL");
    const wal = join(directory, "wal");
    const path = join(wal, readdirSync(wal)[0]!);
    const bytes = readFileSync(path);
    const at = bytes.indexOf("n5");
    bytes[at] = bytes[at]! ^ 1;
    writeFileSync(path, bytes);
    const message = await failure(run());
    expect(message).toMatch(
      /write-ahead log .*\.wal is corrupt at offset \d+: the record there fails its checksum/,
    );
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it("a missing setting", async () => {
    expect(await failure(run({ CONFLUX_CORE_SERVICE_KEY: "short" }))).toContain("CONFLUX_CORE_SERVICE_KEY");
  });
});
