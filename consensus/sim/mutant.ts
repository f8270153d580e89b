/**
 * A deliberate bug: changes to the text of one module or more, made while they are loaded (apply-mutant.ts), so that nothing in
 * the modules themselves knows of them. Each `find` must be in its file exactly once; a test holds that.
 */

interface Edit {
  /** Below consensus/. */
  file: string;
  find: string;
  replace: string;
}

export interface Mutant {
  name: string;
  /** What is broken. */
  what: string;
  /** Which simulator has to catch it: of whole nodes, or of the core alone. */
  caughtBy: "whole" | "core";
  edits: readonly Edit[];
}

/** Makes mutants of one text in one file. */
export const mutantOf =
  (caughtBy: Mutant["caughtBy"]) =>
  (name: string, what: string, file: string, find: string, replace: string): Mutant => ({
    name,
    what,
    caughtBy,
    edits: [{ file, find, replace }],
  });

export function filesOf({ edits }: Mutant): string[] {
  return [...new Set(edits.map(({ file }) => file))];
}

/** The text of `file` with the bug in it. Throws when the module is no longer what the mutant changes. */
export function mutate({ name, edits }: Mutant, file: string, source: string): string {
  let mutated = source;
  let shift = 0;
  const here = edits.filter((edit) => edit.file === file);
  for (const { find, replace } of here.toSorted((a, b) => source.indexOf(a.find) - source.indexOf(b.find))) {
    if (source.split(find).length !== 2) throw new Error(`mutant ${name}: not once in ${file}: ${find}`);
    // By its place in the source: what another edit has put in may hold the same text.
    const at = source.indexOf(find) + shift;
    mutated = mutated.slice(0, at) + replace + mutated.slice(at + find.length);
    shift += replace.length - find.length;
  }
  return mutated;
}
