import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DirectoryLockedError, lockDirectory } from "./directory-lock.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-lock-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

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

  it("R5 says what is wrong with a directory that cannot be one", () => {
    expect(() => lockDirectory("/dev/null/data")).toThrow(/ENOTDIR|not a directory/);
  });

  it("R5 dies with its process, by SIGKILL too", async () => {
    const directory = join(root, "killed");
    const script = `import { lockDirectory } from ${JSON.stringify(join(import.meta.dirname, "directory-lock.ts"))};
      lockDirectory(${JSON.stringify(directory)}); process.stdout.write("held"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
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
