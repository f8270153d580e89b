import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { filesOf, type Mutant, mutate } from "./mutant.ts";

/** From here on this thread loads the mutant's modules with its bug. They must not have been loaded before. */
export function applyMutant(mutant: Mutant): void {
  const urlOf = (file: string): string => pathToFileURL(join(import.meta.dirname, "..", file)).href;
  const files = new Map(filesOf(mutant).map((file) => [urlOf(file), file]));
  registerHooks({
    load: (loaded, context, nextLoad) => {
      const result = nextLoad(loaded, context);
      const file = files.get(loaded);
      if (file === undefined) return result;
      const source = result.source ?? "";
      const text = typeof source === "string" ? source : new TextDecoder().decode(source);
      return { ...result, source: mutate(mutant, file, text) };
    },
  });
}
