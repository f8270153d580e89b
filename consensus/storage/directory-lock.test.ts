import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DirectoryLockedError, lockDirectory } from "./directory-lock.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-lock-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A process that takes the lock, says so, and keeps it. */
const lockScript = (directory: string): string =>
  `import { lockDirectory } from ${JSON.stringify(join(import.meta.dirname, "directory-lock.ts"))};
  lockDirectory(${JSON.stringify(directory)}); process.stdout.write("held"); setInterval(() => {}, 1000);`;

describe("R5 directory lock", () => {
  it("R5 is held once, named in the refusal, and free again after release", () => {
    const directory = join(root, "once");
    const lock = lockDirectory(directory);
    expect(() => lockDirectory(directory)).toThrow(
      `the data directory ${directory} is in use by process ${process.pid}`,
    );
    lock.release();
    lock.release();
    lockDirectory(directory).release();
  });

  it("R5 what a crashed holder noted decides nothing, though another process has that pid by now", () => {
    const directory = join(root, "stale");
    mkdirSync(directory);
    for (const note of [`${process.ppid} elsewhere\n`, "garbage", ""]) {
      writeFileSync(join(directory, "directory.lock.pid"), note);
      lockDirectory(directory).release();
    }
  });

  it.each([
    [`12 another-machine\n`, "process 12 on another-machine"],
    ["12\n", "process 12"],
    ["", "another process"],
  ])("R5 names a holder that noted %j", (note, named) => {
    const directory = mkdtempSync(join(root, "named-"));
    const lock = lockDirectory(directory);
    writeFileSync(join(directory, "directory.lock.pid"), note);
    expect(() => lockDirectory(directory)).toThrow(`is in use by ${named}`);
    lock.release();
  });

  it("R5 a refused try leaves the holder's lock in place", () => {
    const directory = join(root, "kept");
    const lock = lockDirectory(directory);
    for (let i = 0; i < 3; i += 1) expect(() => lockDirectory(directory)).toThrow(DirectoryLockedError);
    lock.release();
  });

  it("R5 says what is wrong with a directory that cannot be one", () => {
    expect(() => lockDirectory("/dev/null/data")).toThrow(/ENOTDIR|not a directory/);
  });

  it("R5 dies with its process, by SIGKILL too", async () => {
    const directory = join(root, "killed");
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", lockScript(directory)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    let refusal: unknown;
    try {
      lockDirectory(directory);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(DirectoryLockedError);
    expect((refusal as DirectoryLockedError).pid).toBe(child.pid);
    child.kill("SIGKILL");
    await once(child, "exit");
    lockDirectory(directory).release();
  });
});
