import { readFileSync } from "node:fs";
import { coreNodeIds } from "./core-cluster.ts";
import type { DataPaths } from "./data-directory.ts";
import type { Settings } from "./settings.ts";
import { writeFileAtomically } from "./write-file-atomically.ts";

/** What `npm start` tells scripts and tests about the running stack (api.md). Holds tokens: owner only. */
export interface DevJson extends StackTokens {
  edge_url: string;
  admin_url: string;
  console_url: string;
  core_urls: string[];
  callback_url: string;
  pids: StackPids;
}

export interface StackTokens {
  tenant: string;
  admin_token: string;
  client_token: string;
  callback_secret: string;
}

export interface StackPids {
  supervisor: number;
  core: number[];
  workerd: number;
  workers_host: number;
  lambda: number;
  /** These are missing when they are the user's own. */
  postgres?: number;
  dynalite?: number;
  kms?: number;
}

const FIRST_NODE_ID = 1;
const url = (port: number): string => `http://localhost:${port}`;

/** Replaces dev.json in one step. */
export function writeStackFile(
  path: string,
  settings: Settings,
  known: StackTokens & { pids: StackPids },
): void {
  const content: DevJson = {
    edge_url: url(settings.edgePort),
    admin_url: url(settings.adminPort),
    console_url: `${url(settings.adminPort)}/docs`,
    core_urls: coreNodeIds(settings).map((id) => url(settings.corePort + id)),
    callback_url: url(settings.lambdaPort),
    ...known,
  };
  writeFileAtomically(path, `${JSON.stringify(content, null, 2)}\n`);
}

/** `Settings.corePort` of the stack that wrote dev.json last, whatever the environment of who asks says. */
export function corePortOf(path: string): number {
  const { core_urls: urls } = JSON.parse(readFileSync(path, "utf8")) as DevJson;
  return Number(new URL(urls[0] ?? "").port) - FIRST_NODE_ID;
}

/** The table of URLs for the terminal: of what answers, so `callback_url` waits for the function behind it. */
export function stackTable(settings: Settings, paths: DataPaths): string[] {
  const rows: [string, string][] = [
    ["edge", url(settings.edgePort)],
    ["admin", `${url(settings.adminPort)}/api/v1`],
    ["API docs", `${url(settings.adminPort)}/docs`],
    ...coreNodeIds(settings).map((id): [string, string] => [
      settings.nodes === 1 ? "core" : `core ${id}`,
      url(settings.corePort + id),
    ]),
    ["data", paths.dataDir],
    ["tokens", paths.devJson],
    ["logs", paths.logs],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(10)}${value}`);
}
