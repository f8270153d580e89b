import { cruise, type ICruiseResult } from "dependency-cruiser";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** The rooms of the picture, most specific first: a file belongs to the first that its path begins with. */
const ROOMS = [
  "consensus/raft",
  "consensus",
  "workers/edge",
  "workers/watch",
  "workers/admin",
  "domain",
  "contracts",
  "adapters",
  "lambdas",
  "migrations",
  "cli",
  "sdk",
  "dev",
] as const;
const ROOTS = [
  "domain",
  "contracts",
  "consensus",
  "adapters",
  "workers",
  "lambdas",
  "migrations",
  "cli",
  "sdk",
  "dev",
];
const BEGIN = "<!-- imports: begin -->";
const END = "<!-- imports: end -->";

const roomOf = (path: string): string | undefined => ROOMS.find((room) => path.startsWith(`${room}/`));

/** The arrows between rooms, from the imports as they are; tests and test entries are left out. */
export async function readArrows(): Promise<string[]> {
  const { output } = await cruise(ROOTS, {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "node_modules|\\.test\\.ts$|testing-entry|vitest\\.config" },
    tsPreCompilationDeps: true,
  });
  const arrows = new Set<string>();
  for (const module of (output as ICruiseResult).modules) {
    const from = roomOf(module.source);
    for (const dependency of module.dependencies) {
      const to = roomOf(dependency.resolved);
      if (from && to && from !== to)
        arrows.add(`  ${from.replace("/", "_")}["${from}"] --> ${to.replace("/", "_")}["${to}"]`);
    }
  }
  return [...arrows].toSorted();
}

/** The README with the picture between its markers replaced. Throws when the markers are missing. */
export function withPicture(readme: string, arrows: readonly string[]): string {
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END);
  if (from < 0 || to < from) throw new Error(`README.md lacks ${BEGIN} ... ${END}`);
  const picture = ["```mermaid", "flowchart TD", ...arrows, "```"].join("\n");
  return `${readme.slice(0, from + BEGIN.length)}\n${picture}\n${readme.slice(to)}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  writeFileSync("README.md", withPicture(readFileSync("README.md", "utf8"), await readArrows()));
}
