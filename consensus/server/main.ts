/**
 * One core node as a process: `node consensus/server/main.ts`, set up by environment variables (read-environment.ts).
 * Writes JSON lines to standard output; the one with `"ready": true` has the URL. Ends by SIGTERM, SIGINT or, when a
 * parent started it with an IPC channel, by the parent's end; ends with code 1 and one sentence when it cannot run.
 */
import { join } from "node:path";
import type { AwsEndpoint } from "../../adapters/aws/aws-endpoint.ts";
import { KmsKeyService } from "../../adapters/kms/kms-key-service.ts";
import { KEY_SERVICE_DEADLINE_MS } from "../../contracts/limits.ts";
import { DirectoryLockedError } from "../storage/directory-lock.ts";
import { WalCorruptError } from "../storage/wal-segment.ts";
import { type CoreNode, startCoreNode } from "./core-node.ts";
import { backupParts } from "./backup-parts.ts";
import { EnvironmentError } from "./environment-error.ts";
import { createLineLog } from "./line-log.ts";
import { openClusterLog } from "./open-cluster-log.ts";
import { type CoreEnvironment, type KeyServiceEnvironment, readEnvironment } from "./read-environment.ts";
import { makeDataDirectory } from "./make-data-directory.ts";
import { PeerBook } from "./peer-book.ts";
import { PeerKnowledge } from "./peer-knowledge.ts";
import { StateFormatError } from "../state/state-schema.ts";

const PEERS_FILE = "peers.json";

const { logger, flush } = createLineLog({
  write: (text) => process.stdout.write(text),
  later: setImmediate,
  now: () => new Date(),
});
process.on("exit", flush);

async function start(env: CoreEnvironment): Promise<CoreNode> {
  makeDataDirectory(env.dataDirectory);
  const backup = env.backup && backupParts(env.backup, join(env.dataDirectory, "backup"));
  const knowledge = new PeerKnowledge({ path: join(env.dataDirectory, PEERS_FILE) });
  const book = new PeerBook(env.nodeId, env.peers?.members ?? []);
  return startCoreNode({
    clusterId: env.clusterId,
    statePath: join(env.dataDirectory, "state.db"),
    journal: env.journal,
    serviceKey: env.serviceKey,
    host: env.host,
    port: env.port,
    logger,
    peers: knowledge,
    book,
    encryption: env.keyService && {
      keys: new KmsKeyService(endpointOf(env.keyService), { deadlineMs: KEY_SERVICE_DEADLINE_MS }),
      defaultKeyId: env.keyService.defaultKeyId,
    },
    backup,
    retention: backup && { storage: backup.storage, intervalMs: env.backup?.retentionIntervalMs ?? 0 },
    openLog: (stateMachine) =>
      openClusterLog({
        env,
        stateMachine,
        knowledge,
        book,
        logger,
        onFatal: (error) => {
          logger({ level: "error", msg: "the node cannot go on", error: error.stack ?? error.message });
          process.exit(1);
        },
      }),
  });
}

function endpointOf({ endpointUrl, region, accessKeyId }: KeyServiceEnvironment): AwsEndpoint {
  return {
    // A stand-in knows its caller by this alone.
    ...(accessKeyId === undefined ? {} : { credentials: { accessKeyId, secretAccessKey: "local" } }),
    ...(endpointUrl === undefined ? {} : { url: endpointUrl }),
    ...(region === undefined ? {} : { region }),
  };
}

/** One sentence for what an operator can put right; the stack for everything else. */
function explain(error: unknown, env: CoreEnvironment | null): string {
  if (error instanceof EnvironmentError || error instanceof DirectoryLockedError) return error.message;
  if (error instanceof WalCorruptError) {
    return `${error.message}; nothing was changed: restore the disk, or remove this node and add a new one in its place`;
  }
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    const { port } = error as { port?: number };
    const isPeerPort = port !== env?.port && port === env?.peers?.listenPort;
    const where = isPeerPort ? "CONFLUX_PEERS" : "CONFLUX_CORE_LISTEN_PORT";
    return `port ${port} on ${env?.host} is taken: set ${where} to another`;
  }
  const unreadable = ["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ERR_SQLITE_ERROR"].includes(
    code ?? "",
  );
  if (unreadable || error instanceof StateFormatError) {
    return `the data directory ${env?.dataDirectory} cannot be used: ${error.message}`;
  }
  return error.stack ?? error.message;
}

function endWith(node: CoreNode): void {
  let stopping = false;
  const stop = (reason: string): void => {
    if (stopping) return;
    stopping = true;
    logger({ level: "info", msg: `stopping: ${reason}` });
    node.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger({ level: "error", msg: "stopping failed", error: String(error) });
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  if (process.send !== undefined) {
    if (process.connected) process.on("disconnect", () => stop("the parent has gone"));
    else stop("the parent has gone");
  }
}

let env: CoreEnvironment | null = null;
try {
  env = readEnvironment(process.env);
  const node = await start(env);
  endWith(node);
  logger({ level: "info", msg: "ready", ready: true, url: node.url, node_id: env.nodeId, pid: process.pid });
} catch (error) {
  process.stderr.write(`conflux core: ${explain(error, env)}\n`);
  process.exit(1);
}
