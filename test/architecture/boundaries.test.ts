import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

const planted: string[] = [];
afterEach(() => {
  for (const root of planted.splice(0)) rmSync(root, { recursive: true });
});

/**
 * Makes a tree that holds `files` alone, by their paths, beside the settings; runs a command there, and answers what it
 * printed. Not in this tree, where whatever else looks through it would come upon them.
 */
function runOnPlanted(files: Record<string, string>, program: string, ...args: string[]): string {
  const root = mkdtempSync(join(tmpdir(), "conflux-boundaries-"));
  planted.push(root);
  for (const name of ["tsconfig.json", "tsconfig.base.json"]) copyFileSync(name, join(root, name));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  try {
    const command = join(process.cwd(), "node_modules/.bin", program);
    return execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: "pipe" });
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
      // The types that are installed here would be found by a project that did not shut them out.
      const config = {
        extends: `${process.cwd()}/${folder}/tsconfig.json`,
        compilerOptions: { typeRoots: [`${process.cwd()}/node_modules/@types`] },
        include: ["planted.ts"],
      };
      const files = { "planted.ts": source, "planted.json": JSON.stringify(config) };
      const out = runOnPlanted(files, "tsc", "-p", "planted.json");
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
      const from = `${folder}/planted/planted.ts`;
      const files = {
        [from]: `import * as planted from "${imports}";\nexport default planted;\n`,
        // The settings must have something to speak of.
        "cli/nothing.ts": "export {};\n",
      };
      if (imports.startsWith(".")) Object.assign(files, { [join(dirname(from), imports)]: "export {};\n" });
      const config = join(process.cwd(), ".dependency-cruiser.cjs");
      const out = runOnPlanted(files, "depcruise", "--config", config, from);
      expect(out).toContain(`error ${rule}`);
    });
  }
});
