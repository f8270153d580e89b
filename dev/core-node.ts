/**
 * `npm run core-node -- 4`: one more core node beside a running stack of several, with a data directory and a certificate
 * of its own in the stack's. The first time it asks to be let in (`npx conflux cluster add-node`); afterwards it is a member
 * like the others, but started and stopped here, with Ctrl-C.
 */
import { spawn } from "node:child_process";
import { createWriteStream, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { awsEndpoint } from "./aws-endpoint.ts";
import { checkPorts } from "./check-ports.ts";
import { coreSpec } from "./child-specs.ts";
import { peerPort, peerVariables } from "./core-cluster.ts";
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
  await checkPorts(
    [settings.corePort + nodeId, peerPort(settings, nodeId)].map((port) => ({
      port,
      variable: "CONFLUX_CORE_PORT",
    })),
  );
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
  return runNode(
    settings,
    nodeId,
    coreSpec({ settings, paths, secrets, peers, kms }, nodeId),
    join(paths.logs, `core-${nodeId}.log`),
  );
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
  const stop = (): void => void child.kill("SIGTERM");
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, stop);
  const exited = new Promise<number>((resolve) => {
    child.once("exit", (code) => resolve(code ?? 1));
    child.once("error", (error) => {
      console.error(error);
      resolve(1);
    });
  });
  let said = "";
  const lines = createInterface({ input: child.stdout! });
  lines.on("line", (line) => {
    log.write(`${line}\n`);
    const next = wordsFor(settings, nodeId, line);
    if (next !== null && next !== said) console.log(next);
    said = next ?? said;
  });
  const code = await exited;
  log.end();
  return code;
}

/** What a line of the node's log means for whoever looks at the terminal; null for most. */
function wordsFor(settings: Settings, nodeId: number, line: string): string | null {
  if (line.includes('"ready":true')) {
    return `Node ${nodeId} runs at http://localhost:${settings.corePort + nodeId}; Ctrl-C stops it.`;
  }
  if (line.includes('"waiting to be let into the cluster"')) {
    const address = `127.0.0.1:${peerPort(settings, nodeId)}`;
    return `Node ${nodeId} waits to be let in; in another terminal: npx conflux cluster add-node ${nodeId} ${address}`;
  }
  return null;
}
