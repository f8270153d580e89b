/**
 * Runs a program of ours as one bundled file, as the deployed Lambdas are: `node run-bundled.ts <entry> <outfile>`.
 * Loading drizzle-orm file by file takes a second of CPU and 200 MB, because Node reads its 180 kB package.json again for
 * every one of them.
 */
import { pathToFileURL } from "node:url";
import { build, stop } from "esbuild";
import { keepBundle } from "./keep-bundle.ts";

const [entry, outfile] = process.argv.slice(2);
if (entry === undefined || outfile === undefined) throw new Error("usage: run-bundled.ts <entry> <outfile>");
await keepBundle(outfile, async () => {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node24",
    logLevel: "warning",
    // Packages that are still CommonJS ask for Node's own modules by `require`.
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
  });
  await stop();
  const [output] = result.outputFiles;
  if (!output) throw new Error(`esbuild made nothing of ${entry}`);
  return { text: output.text, inputs: Object.keys(result.metafile.inputs) };
});
await import(pathToFileURL(outfile).href);
