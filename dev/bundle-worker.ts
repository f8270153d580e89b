import { builtinModules } from "node:module";
import { build } from "esbuild";
import type { Bundle } from "./keep-bundle.ts";

/**
 * One ES module of a Worker and all it imports, as workerd wants it: packages by their workerd conditions, the
 * platform's own modules left outside. Throws what esbuild says when an import does not resolve.
 */
export async function bundleWorker(entry: string): Promise<Bundle> {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2024",
    platform: "browser",
    conditions: ["workerd", "worker", "browser", "module"],
    mainFields: ["browser", "module", "main"],
    external: ["cloudflare:*", "node:*", ...builtinModules],
    logLevel: "silent",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const [output] = result.outputFiles;
  if (!output) throw new Error(`esbuild made nothing of ${entry}`);
  return { text: output.text, inputs: Object.keys(result.metafile.inputs) };
}
