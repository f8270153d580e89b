/**
 * One core node as a process: `node consensus/server/main.ts`, set up by environment variables (read-environment.ts).
 * Writes JSON lines to standard output; the one with `"ready"` has the URL (started-line.ts). Ends by SIGTERM, SIGINT or, when a
 * parent started it with an IPC channel, by the parent's end; ends with code 1 and one sentence when it cannot run.
 */
import { join } from "node:path";
import type { AwsEndpoint } from "../../adapters/aws/aws-endpoint.ts";
import { KmsKeyService } from "../../adapters/kms/kms-key-service.ts";
import { KEY_SERVICE_DEADLINE_MS } from "../../contracts/limits.ts";
import { type CoreNode, startCoreNode } from "./core-node.ts";
import { backupParts } from "./backup-parts.ts";
import { explainFailure, STATE_FILE } from "./explain-failure.ts";
import { createLineLog } from "./line-log.ts";
import { openClusterLog } from "./open-cluster-log.ts";
import { type CoreEnvironment, type KeyServiceEnvironment, readEnvironment } from "./read-environment.ts";
import { startedLine } from "./started-line.ts";
import { makeDataDirectory } from "./make-data-directory.ts";
import { PeerBook } from "./peer-book.ts";
import { PeerKnowledge } from "./peer-knowledge.ts";

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
    statePath: join(env.dataDirectory, STATE_FILE),
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
          logger({ level: "error", msg: "the node cannot go on", error: explainFailure(error, env) });
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
  logger({ ...startedLine(node), url: node.url, node_id: env.nodeId, pid: process.pid });
} catch (error) {
  process.stderr.write(`conflux core: ${explainFailure(error, env)}\n`);
  process.exit(1);
}
