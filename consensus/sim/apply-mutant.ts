import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Mutant, mutate } from "./mutants.ts";

/** From here on this thread loads the mutant's module with its bug. It must not have been loaded before. */
export function applyMutant(mutant: Mutant): void {
  const url = pathToFileURL(join(import.meta.dirname, "..", mutant.file)).href;
  registerHooks({
    load: (loaded, context, nextLoad) => {
      const result = nextLoad(loaded, context);
      if (loaded !== url) return result;
      const source = result.source ?? "";
      const text = typeof source === "string" ? source : new TextDecoder().decode(source);
      return { ...result, source: mutate(mutant, text) };
    },
  });
}
