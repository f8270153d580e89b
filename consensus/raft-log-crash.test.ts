import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, describe, expect, it } from "vitest";
import { openRaftLog } from "./raft-log.ts";
import { openCommandMachine } from "./sqlite-machine.testing.ts";
import { createMemoryNetwork } from "./transport/memory-network.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-raft-crash-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const module = (name: string): string => JSON.stringify(join(import.meta.dirname, name));

/** Sixteen proposers in a process of their own; a line on stdout is an acknowledged command. */
const script = (directory: string, state: string, round: number): string => `
  import { writeSync } from "node:fs";
  import { openRaftLog } from ${module("raft-log.ts")};
  import { commandOf, openCommandMachine } from ${module("sqlite-machine.testing.ts")};
  import { createMemoryNetwork } from ${module("transport/memory-network.ts")};
  const log = await openRaftLog({
    nodeId: 1, directory: ${JSON.stringify(directory)}, members: [1],
    stateMachine: openCommandMachine(${JSON.stringify(state)}),
    transport: createMemoryNetwork().transport(1),
    onFatal: (error) => { throw error; },
    limits: { retainedBytesMax: 60_000, retainedBytesAfter: 20_000 },
  });
  await log.start();
  for (let p = 0; p < 16; p += 1) void (async () => {
    for (let i = 0; ; i += 1) {
      const text = ${JSON.stringify(String(round))} + "/" + p + "/" + i;
      await log.propose(commandOf(text));
      writeSync(1, text + "\\n");
    }
  })();`;

async function killWhileWriting(
  directory: string,
  state: string,
  round: number,
  lines: number,
): Promise<string[]> {
  const child = spawn(
    process.execPath,
    ["--input-type=module-typescript", "-e", script(directory, state, round)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const acknowledged: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    acknowledged.push(line);
    if (acknowledged.length === lines) child.kill("SIGKILL");
  });
  await Promise.all([once(child, "exit"), once(reader, "close")]);
  expect(child.signalCode).toBe("SIGKILL");
  // The kill may have cut the last line; what was cut was not told to anyone.
  return acknowledged.filter((line) => /^\d+\/\d+\/\d+$/.test(line));
}

describe("R3 kill -9 in the middle of writes", () => {
  it.each(["state kept beside the log", "state rebuilt from the log"])(
    "R3 every acknowledged command is applied exactly once (%s)",
    async (kind) => {
      const directory = join(root, kind.replaceAll(" ", "-"));
      const isKept = kind.startsWith("state kept");
      const state = isKept ? join(root, "state.db") : ":memory:";
      const acknowledged: string[] = [];
      const rounds = isKept ? 4 : 1;
      for (let round = 0; round < rounds; round += 1) {
        acknowledged.push(...(await killWhileWriting(directory, state, round, 200 + 137 * round)));
      }
      const machine = openCommandMachine(state);
      const fatal: Error[] = [];
      const log = await openRaftLog<string>({
        nodeId: 1,
        directory,
        members: [1],
        stateMachine: machine,
        transport: createMemoryNetwork().transport(1),
        onFatal: (error) => fatal.push(error),
      });
      await log.start();
      const commands = machine.commands();
      expect(new Set(commands).size).toBe(commands.length);
      const applied = new Set(commands);
      expect(acknowledged.filter((text) => !applied.has(text))).toEqual([]);
      // A proposer waits for each answer, so its own commands are in order.
      for (let p = 0; p < 16; p += 1) {
        const own = commands
          .filter((text) => text.startsWith(`0/${p}/`))
          .map((text) => Number(text.split("/")[2]));
        expect(own).toEqual(own.map((_, i) => i));
      }
      expect(fatal).toEqual([]);
      await log.stop();
    },
  );
});
