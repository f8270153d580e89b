import { join } from "node:path";

/** What one process bundled and compiled, the next one finds. */
export const BUILD_DIRECTORY = join(import.meta.dirname, "../../node_modules/.cache/conflux-tests");
export const COMPILE_CACHE = join(BUILD_DIRECTORY, "compile-cache");
