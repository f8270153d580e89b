import { spawn } from "node:child_process";
import { join } from "node:path";
import type { AwsEndpoint } from "../adapters/aws/aws-endpoint.ts";
import { CORE_NODE_FLAGS } from "../contracts/core/node-flags.ts";
import { awsEnvironment, kmsEnvironment } from "./aws-endpoint.ts";
import { reapLeftovers } from "./child-ledger.ts";
import { coreNodeIds } from "./core-cluster.ts";
import type { DataPaths } from "./data-directory.ts";
import {
  type PostgresFiles,
  POSTGRES_READY_TEXT,
  childEnv,
  findOrphanPostmaster,
  postgresArguments,
} from "./embedded-postgres.ts";
import type { ChildSpec } from "./managed-child.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { CLUSTER_ID, CONFIG_KEY_ALIAS, PASSWORD_HASH_PATH, PUBLISH_HINTS_QUEUE_PATH } from "./names.ts";
import type { Secrets, SigningJwk } from "./secrets.ts";
import type { Settings } from "./settings.ts";
import type { WorkersConfig } from "./workers-options.ts";

const PROJECT_DIR = join(import.meta.dirname, "..");
export const PARENT_GUARD = ["--import", join(import.meta.dirname, "exit-with-parent.ts")];

/** Bundles a program and runs it: for those that use drizzle-orm. */
export const RUN_BUNDLED = join(import.meta.dirname, "run-bundled.ts");

/** What every child needs to know of the stack. */
export interface StackContext {
  settings: Settings;
  paths: DataPaths;
  secrets: Secrets;
  /** As the role that row-level security binds. */
  databaseUrl: string;
  /** What each core node is told of its peers, by node id. */
  peers: ReadonlyMap<number, Record<string, string>>;
  dynamoDb: AwsEndpoint;
  kms: AwsEndpoint;
}

/** For our own processes: no name to resolve, no second address family. */
const loopback = (port: number): string => `http://127.0.0.1:${port}`;

/** For the core's callers: every node. */
const coreUrls = (settings: Settings): string =>
  JSON.stringify(coreNodeIds(settings).map((id) => loopback(settings.corePort + id)));

export function coreSpec(
  {
    settings,
    paths,
    secrets,
    peers,
    kms,
  }: Pick<StackContext, "settings" | "paths" | "secrets" | "peers" | "kms">,
  nodeId: number,
): ChildSpec {
  const child = nodeChild(`core-${nodeId}`, join(PROJECT_DIR, "consensus/server/main.ts"));
  return {
    ...child,
    args: [...CORE_NODE_FLAGS, ...child.args],
    env: {
      ...nodeEnv(paths),
      CONFLUX_NODE_ID: String(nodeId),
      CONFLUX_CORE_LISTEN_PORT: String(settings.corePort + nodeId),
      CONFLUX_CORE_DATA_DIR: paths.core(nodeId),
      CONFLUX_CLUSTER_ID: CLUSTER_ID,
      CONFLUX_CORE_SERVICE_KEY: secrets.core_service_key,
      ...kmsEnvironment(kms),
      CONFLUX_KMS_DEFAULT_KEY_ID: process.env["CONFLUX_KMS_DEFAULT_KEY_ID"] || CONFIG_KEY_ALIAS,
      CONFLUX_BACKUP_STORE: process.env["CONFLUX_BACKUP_STORE"] || paths.backups,
      // On a desk backups are taken when they are asked for.
      CONFLUX_BACKUP_INTERVAL_S: process.env["CONFLUX_BACKUP_INTERVAL_S"] || "0",
      ...peers.get(nodeId),
    },
    // A founder that was removed says false, and the stack goes on without it.
    isReadyLine: (line) => line.startsWith("{") && /"ready":(?:true|false)/.test(line),
  };
}

export function lambdaSpec(context: StackContext, isFollowing: () => boolean): ChildSpec {
  const { settings, secrets, paths } = context;
  return {
    ...nodeChild("lambda", RUN_BUNDLED, [
      join(import.meta.dirname, "lambda-runner.ts"),
      paths.bundle("lambda-runner"),
    ]),
    env: {
      ...nodeEnv(paths),
      CONFLUX_LAMBDA_PORT: String(settings.lambdaPort),
      DATABASE_URL: context.databaseUrl,
      CORE_URLS: coreUrls(settings),
      CORE_SERVICE_KEY: secrets.core_service_key,
      LAMBDA_SERVICE_KEY: secrets.lambda_service_key,
      GATE_WEBHOOK_FUNCTION: "local",
      PUBLISH_HINTS_QUEUE_URL: `${loopback(settings.lambdaPort)}${PUBLISH_HINTS_QUEUE_PATH}`,
      CONFLUX_PUBLISH_EVERY_S: String(settings.publishEveryS),
      DYNAMODB_ENDPOINT: context.dynamoDb.url,
      ...awsEnvironment(context.dynamoDb),
    },
    firstMessage: () => ({ follow: isFollowing() }),
    isReadyMessage: (message) => (message as { type?: string }).type === "ready",
  };
}

/** Which workerd runs now: told by its host, kept here so that a host that was killed leaves none behind. */
export interface WorkerdSlot {
  current: () => ProcessIdentity | null;
  set: (pid: number) => void;
}

/** `signingJwk` comes later than the process: until then it bundles the Workers. */
export function workersSpec(
  context: StackContext,
  workerd: WorkerdSlot,
  signingJwk: Promise<SigningJwk>,
): ChildSpec {
  return {
    ...nodeChild("workers", join(import.meta.dirname, "workers-host.ts"), [context.paths.build]),
    env: nodeEnv(context.paths),
    firstMessage: async () => workersConfig(context, await signingJwk),
    isReadyMessage: (message) => {
      const { type, workerdPid } = message as { type?: string; workerdPid?: number };
      if (workerdPid) workerd.set(workerdPid);
      return type === "ready";
    },
    beforeSpawn: async () => {
      const left = workerd.current();
      if (left) await reapLeftovers([left], () => "SIGKILL");
    },
  };
}

export function postgresSpec(files: PostgresFiles, port: number): ChildSpec {
  return {
    name: "postgres",
    command: files.postgres,
    args: postgresArguments(files.clusterDir, port),
    env: childEnv(),
    cwd: files.clusterDir,
    ...files.user,
    ipc: false,
    // "Fast": ends sessions, then shuts down cleanly.
    stopSignal: "SIGINT",
    isReadyLine: (line) => line.includes(POSTGRES_READY_TEXT),
    beforeSpawn: async () => {
      const orphan = findOrphanPostmaster(files.clusterDir);
      if (orphan) await reapLeftovers([orphan], () => "SIGINT");
    },
    afterSpawn: stopWithSupervisor,
  };
}

/**
 * Postgres does not notice the end of its parent. A shell that does (its standard input closes) stops it. Answers what
 * to call when the process has ended, before its pid can belong to another.
 */
function stopWithSupervisor(pid: number): () => void {
  const guard = spawn("/bin/sh", ["-c", `read _; kill -INT ${pid}`], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  return () => guard.kill("SIGKILL");
}

/** Children start faster the second time: what was compiled is kept. */
export function nodeEnv(paths: DataPaths): NodeJS.ProcessEnv {
  return { ...process.env, NODE_COMPILE_CACHE: paths.compileCache };
}

export function nodeChild(name: string, entry: string, args: readonly string[] = []) {
  return {
    name,
    command: process.execPath,
    args: [...PARENT_GUARD, entry, ...args],
    cwd: PROJECT_DIR,
    ipc: true,
    stopSignal: "SIGTERM" as const,
  };
}

function workersConfig(
  { settings, paths, secrets, databaseUrl }: StackContext,
  signingJwk: SigningJwk,
): WorkersConfig {
  const core = {
    CORE_URLS: coreUrls(settings),
    CORE_SERVICE_KEY: secrets.core_service_key,
  };
  const regions = settings.regions.join(",");
  return {
    regions: settings.regions,
    edgePort: settings.edgePort,
    adminPort: settings.adminPort,
    persistDir: paths.workers,
    databaseUrl,
    clientRate: settings.clientRate,
    bindings: {
      edge: { ...core, REGIONS: regions, INDEX_SIGNING_KEY: secrets.index_key },
      watch: { ...core, REGIONS: regions, INDEX_SIGNING_KEY: secrets.index_key },
      admin: {
        ...core,
        REGIONS: regions,
        INDEX_SIGNING_KEY: secrets.index_key,
        TOKEN_SIGNING_JWK: JSON.stringify(signingJwk),
        TOKEN_RETIRED_JWKS: "[]",
        OIDC_SETTINGS: settings.oidcSettings,
        OIDC_CLIENT_SECRET: settings.oidcClientSecret,
        IDEMPOTENCY_KEY: secrets.idempotency_key,
        PASSWORD_HASH_URL: `${loopback(settings.lambdaPort)}${PASSWORD_HASH_PATH}`,
        LAMBDA_SERVICE_KEY: secrets.lambda_service_key,
      },
    },
  };
}
