/**
 * `npm run core-node -- 4`: one more core node beside a running stack of several, with a data directory and a certificate
 * of its own in the stack's. The first time it asks to be let in (`npx conflux cluster add-node`); afterwards it is a member
 * like the others, but started and stopped here, with Ctrl-C.
 */
import { spawn } from "node:child_process";
import { createWriteStream, existsSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  DirectoryLockedError,
  type DirectoryLock,
  lockDirectory,
} from "../consensus/storage/directory-lock.ts";
import { awsEndpoint } from "./aws-endpoint.ts";
import { checkPorts, type WantedPort } from "./check-ports.ts";
import { coreSpec } from "./child-specs.ts";
import { peerPort, peerVariables } from "./core-cluster.ts";
import { CoreNodeWords } from "./core-node-words.ts";
import { type DataPaths, dataPaths } from "./data-directory.ts";
import { corePortOf } from "./dev-json.ts";
import { readMemo, remember } from "./memo.ts";
import { CLUSTER_ID } from "./names.ts";
import { preparePeerCertificates } from "./peer-certificates.ts";
import { StartRefusal } from "./refusal.ts";
import { loadSecrets } from "./secrets.ts";
import { type GivenSettings, readSettings, type Settings } from "./settings.ts";

/** Peers listen a hundred above, so ids end there. */
const NODE_ID_MAX = 99;
/** Nodes that a new one is told of; it learns of the others from the state. */
const SEEDS_MAX = 8;
/** What a shell answers for a process that a signal ended, without the signal's number. */
const SIGNAL_EXIT = 128;

try {
  process.exitCode = await run(readSettings(process.env, process.cwd()), process.argv[2] ?? "");
} catch (error) {
  console.error(error instanceof StartRefusal ? error.message : error);
  process.exitCode = 1;
}

async function run(given: GivenSettings, text: string): Promise<number> {
  const paths = dataPaths(given.dataDir, given.buildDir);
  const founders = readMemo(paths.memo).nodes ?? 1;
  const nodeId = checkNodeId(text, paths, founders);
  // The peers listen where the stack was told to, of which another terminal's environment knows nothing.
  const settings: Settings = { ...given, nodes: founders, corePort: corePortOf(paths.devJson) };
  const lock = takeNodeLock(paths, nodeId);
  await checkPorts(wantedPorts(settings, nodeId));
  remember(paths.memo, { core_port: settings.corePort });
  const files = await preparePeerCertificates({
    directory: paths.peers,
    clusterId: CLUSTER_ID,
    nodeIds: [nodeId],
  });
  const own = files.get(nodeId);
  if (own === undefined) throw new Error(`node ${nodeId} was given no certificate`);
  const variables = {
    ...peerVariables(settings, [...seedsOf(paths, nodeId), nodeId], own),
    CONFLUX_JOIN: "1",
  };
  const peers = new Map([[nodeId, variables]]);
  const secrets = loadSecrets(paths.secrets);
  const kms = awsEndpoint({
    ownUrl: settings.kmsUrl,
    port: readMemo(paths.memo).kms_port ?? null,
    accessKeyId: secrets.kms_access_key_id,
    env: process.env,
  });
  const spec = coreSpec({ settings, paths, secrets, peers, kms }, nodeId);
  const code = await runNode(settings, nodeId, spec, join(paths.logs, `core-${nodeId}.log`));
  lock.release();
  return code;
}

/** Held until this process ends: a second one for the same node would fail on the first one's ports. */
function takeNodeLock(paths: DataPaths, nodeId: number): DirectoryLock {
  try {
    return lockDirectory(paths.coreLock(nodeId));
  } catch (error) {
    if (!(error instanceof DirectoryLockedError)) throw error;
    const holder = error.pid === null ? "another process" : `process ${error.pid}`;
    throw new StartRefusal(
      `Node ${nodeId} runs here already (${holder}): stop it there with Ctrl-C, or name another id for one more node.`,
    );
  }
}

/** They follow from the stack's port and the id: no variable of this command moves them. */
function wantedPorts(settings: Settings, nodeId: number): WantedPort[] {
  const ports = [settings.corePort + nodeId, peerPort(settings, nodeId)];
  const wayOut = `node ${nodeId} listens on ${ports.join(" and ")}, counted from the running stack's CONFLUX_CORE_PORT=${settings.corePort}: stop that program, name another id, or start the stack with another CONFLUX_CORE_PORT`;
  return ports.map((port) => ({ port, variable: "CONFLUX_CORE_PORT", wayOut }));
}

function checkNodeId(text: string, paths: DataPaths, founders: number): number {
  if (!existsSync(paths.devJson)) {
    throw new StartRefusal(`No stack runs on ${paths.dataDir}: start one with CONFLUX_NODES=3 npm start.`);
  }
  if (founders === 1) {
    throw new StartRefusal(
      "The stack has one core node, which no other can join: start one with CONFLUX_NODES=3.",
    );
  }
  const nodeId = Number(text);
  if (Number.isInteger(nodeId) && nodeId > founders && nodeId <= NODE_ID_MAX) return nodeId;
  throw new StartRefusal(
    `Name the new node, from ${founders + 1} to ${NODE_ID_MAX} and never used before: npm run core-node -- ${founders + 1}`,
  );
}

/** Nodes that have a data directory here. */
function seedsOf(paths: DataPaths, nodeId: number): number[] {
  return readdirSync(paths.dataDir)
    .map((name) => Number(/^core-(\d+)$/.exec(name)?.[1] ?? 0))
    .filter((id) => id > 0 && id !== nodeId)
    .toSorted((a, b) => b - a)
    .slice(0, SEEDS_MAX);
}

/** Runs the node until it ends or Ctrl-C; answers the exit code. Its log goes to a file, what people need to the terminal. */
async function runNode(
  settings: Settings,
  nodeId: number,
  spec: ReturnType<typeof coreSpec>,
  logPath: string,
): Promise<number> {
  const log = createWriteStream(logPath, { flags: "a", mode: 0o600 });
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env: spec.env,
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  let isAsked = false;
  const stop = (): void => {
    isAsked = true;
    child.kill("SIGTERM");
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, stop);
  const ended = new Promise<{ code: number; how: string }>((resolve) => {
    // Not at its exit: what it said last may come after that.
    child.once("close", (code, signal) => {
      if (signal === null) resolve({ code: code ?? 1, how: `ended with code ${code}` });
      else resolve({ code: SIGNAL_EXIT + constants.signals[signal], how: `was killed by ${signal}` });
    });
    child.once("error", (error) => resolve({ code: 1, how: `could not be started: ${error.message}` }));
  });
  const words = new CoreNodeWords(settings, nodeId, (text) => console.log(text));
  createInterface({ input: child.stdout! }).on("line", (line) => {
    log.write(`${line}\n`);
    words.take(line);
  });
  const { code, how } = await ended;
  words.close();
  log.end();
  if (!isAsked)
    console.error(`Node ${nodeId} ${how}; npm run core-node -- ${nodeId} starts it again (${logPath}).`);
  return code;
}
