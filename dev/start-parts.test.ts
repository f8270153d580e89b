import {
  existsSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BoundedLog } from "./bounded-log.ts";
import { checkPorts, freePort } from "./check-ports.ts";
import { dataPaths, prepareDataDirectory } from "./data-directory.ts";
import { canReach, findOrphanPostmaster } from "./embedded-postgres.ts";
import { readMemo, remember } from "./memo.ts";
import { StartRefusal } from "./refusal.ts";
import { loadSecrets } from "./secrets.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "conflux-parts-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe("ports", () => {
  test.each(["127.0.0.1", "::1"])(
    "a port taken on %s is refused, with the variable that moves it",
    async (host) => {
      const server = createServer();
      const listening = await new Promise<boolean>((done) => {
        server.once("error", () => done(false));
        server.listen(0, host, () => done(true));
      });
      // A machine without IPv6 has nothing to show here.
      if (!listening) return;
      const { port } = server.address() as AddressInfo;
      const wanted = [{ port, variable: "CONFLUX_EDGE_PORT" }];
      await expect(checkPorts(wanted)).rejects.toThrow(
        `Port ${port} is taken by another program; set CONFLUX_EDGE_PORT to a free one.`,
      );
      await expect(checkPorts(wanted.map((one) => ({ ...one, wayOut: "stop it" })))).rejects.toThrow(
        `Port ${port} is taken by another program; stop it.`,
      );
      await new Promise((done) => server.close(done));
      await expect(checkPorts(wanted)).resolves.toBeUndefined();
    },
  );

  test("two variables with one port are refused", async () => {
    const port = await freePort();
    const wanted = ["A", "B"].map((variable) => ({ port, variable }));
    await expect(checkPorts(wanted)).rejects.toThrow(`A and B both name port ${port}.`);
  });
});

describe("data directory", () => {
  test("is made, others may pass through it and read nothing secret", () => {
    const paths = dataPaths(join(dir, "a/b"));
    prepareDataDirectory(paths);
    loadSecrets(paths.secrets);
    expect(statSync(paths.secrets).mode & 0o777).toBe(0o600);
    expect(statSync(paths.logs).mode & 0o777).toBe(0o700);
  });

  test("a file in its place is refused in one sentence", () => {
    writeFileSync(join(dir, "file"), "");
    for (const path of [join(dir, "file"), join(dir, "file/below")]) {
      expect(() => prepareDataDirectory(dataPaths(path))).toThrow(
        `The data directory ${path} cannot be used: a file is in its place; set CONFLUX_DATA_DIR to another.`,
      );
    }
  });

  test.skipIf(!existsSync("/proc/self"))(
    "a place where no folder can be made is refused in one sentence",
    () => {
      expect(() => prepareDataDirectory(dataPaths("/proc/conflux/data"))).toThrow(/cannot be used: /);
    },
  );

  test.skipIf(process.getuid?.() === 0)("one that may not be written is refused in one sentence", () => {
    chmodSync(dir, 0o500);
    expect(() => prepareDataDirectory(dataPaths(join(dir, "data")))).toThrow(/permission is denied/);
    chmodSync(dir, 0o700);
  });
});

describe("secrets", () => {
  test("are made once and read again", () => {
    const path = join(dir, "secrets.json");
    expect(loadSecrets(path)).toEqual(loadSecrets(path));
  });

  test.each(["{", '{"index_key":"short"}'])("a damaged file (%s) is refused and left as it is", (text) => {
    const path = join(dir, "secrets.json");
    writeFileSync(path, text);
    expect(() => loadSecrets(path)).toThrow(StartRefusal);
    expect(readFileSync(path, "utf8")).toBe(text);
  });
});

test("the memo keeps, changes and forgets; a damaged one is empty", () => {
  const path = join(dir, "memo.json");
  expect(readMemo(path)).toEqual({});
  remember(path, { postgres_port: 5000, unprinted_password: "secret" });
  remember(path, { unprinted_password: undefined, sample_data: true });
  expect(readMemo(path)).toEqual({ postgres_port: 5000, sample_data: true });
  writeFileSync(path, "nonsense");
  expect(readMemo(path)).toEqual({});
});

test("a log never outgrows its two files and goes on where it was", () => {
  const path = join(dir, "x.log");
  const bytesMax = 1000;
  for (let run = 0; run < 3; run += 1) {
    const log = new BoundedLog(path, bytesMax);
    for (let i = 0; i < 100; i += 1) log.append(`line ${run} ${i}`);
    log.close();
  }
  expect(statSync(path).size).toBeLessThanOrEqual(bytesMax);
  expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(bytesMax);
  expect(readFileSync(path, "utf8").trimEnd().split("\n").at(-1)).toBe("line 2 99");
});

describe("embedded Postgres", () => {
  test("a folder below a private one is out of reach of another user", () => {
    const stranger = { uid: 54_321, gid: 54_321 };
    mkdirSync(join(dir, "private"), { mode: 0o700 });
    mkdirSync(join(dir, "private/data"), { mode: 0o755 });
    expect(canReach(join(dir, "private/data"), stranger)).toBe(false);
    expect(canReach("/usr", stranger)).toBe(true);
    expect(canReach(join(dir, "private/data"), {})).toBe(true);
  });

  test("a postmaster.pid of another's process, or of nobody's, names no orphan", () => {
    expect(findOrphanPostmaster(dir)).toBeNull();
    for (const text of [`${process.pid}\n`, "999999999\n", "", "-1\n"]) {
      writeFileSync(join(dir, "postmaster.pid"), text);
      expect(findOrphanPostmaster(dir)).toBeNull();
    }
  });
});
