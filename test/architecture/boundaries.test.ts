import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

const planted: string[] = [];
afterEach(() => {
  for (const dir of planted.splice(0)) rmSync(dir, { recursive: true });
});

/** Plants a file in a folder of the tree, runs a command there, and answers what the command printed. */
function runWithPlanted(
  folder: string,
  source: string,
  command: (file: string, dir: string) => string[],
): string {
  const dir = mkdtempSync(join(folder, "planted-"));
  planted.push(dir);
  const file = join(dir, "planted.ts");
  writeFileSync(file, source);
  const [program, ...args] = command(file, dir) as [string, ...string[]];
  try {
    return execFileSync(`node_modules/.bin/${program}`, args, { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return stdout + stderr;
  }
}

describe("pure folders cannot name the outside world", () => {
  const names = ["fetch", "process", "console", "setTimeout", "crypto", "TextEncoder", "Buffer"];
  for (const folder of ["domain", "consensus/raft"]) {
    it(`${folder} cannot name ${names.join(", ")}`, () => {
      const source = names.map((name, i) => `export const planted${i} = ${name};`).join("\n");
      const out = runWithPlanted(folder, source, (_file, dir) => {
        const config = join(dir, "tsconfig.json");
        const base = `${process.cwd()}/${folder}/tsconfig.json`;
        writeFileSync(config, JSON.stringify({ extends: base, include: ["planted.ts"] }));
        return ["tsc", "-p", config];
      });
      for (const name of names) expect(out).toMatch(new RegExp(`error TS\\d+: Cannot find name '${name}'`));
    });
  }
});

describe("the import table holds", () => {
  const cases: [folder: string, imports: string, rule: string][] = [
    ["domain", "node:fs", "domain-is-pure"],
    ["domain", "../../contracts/limits.ts", "domain-is-pure"],
    ["consensus/raft", "../../../domain/config/config.ts", "raft-is-alone"],
    ["contracts", "../../adapters/core-client/core-client.ts", "contracts"],
    ["adapters", "../../workers/admin/app.ts", "adapters"],
    ["workers/edge", "../../watch/main.ts", "workers-apart"],
    ["workers/admin", "../../../lambdas/feed-projection.ts", "hosts-apart"],
    ["lambdas", "../../consensus/raft/types.ts", "hosts-apart"],
    ["adapters", "../../test/summary-reporter.ts", "nobody-imports-test"],
    ["consensus/state", "../../../adapters/core-client/core-client.ts", "consensus-library"],
  ];
  for (const [folder, imports, rule] of cases) {
    it(`${folder} importing ${imports} breaks ${rule}`, () => {
      const out = runWithPlanted(
        folder,
        `import * as planted from "${imports}";\nexport default planted;\n`,
        (file) => ["depcruise", "--config", ".dependency-cruiser.cjs", file],
      );
      expect(out).toContain(`error ${rule}`);
    });
  }
});
