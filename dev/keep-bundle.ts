/**
 * Bundles kept between starts, since making them is a third of what a start costs.
 * Invariant: a kept bundle is what esbuild would make now. Beside it lies what went into it, with the times and sizes of the
 * files; when one differs, or the bundle is not the one that was described, it is made again.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { systemErrorCode } from "./refusal.ts";
import { writeFileAtomically } from "./write-file-atomically.ts";

export interface Bundle {
  text: string;
  /** The files it was made of: absolute, or below the working directory. */
  inputs: readonly string[];
}

/** What else decides how imports resolve, and with which esbuild. */
const LOCKFILE = join(import.meta.dirname, "../package-lock.json");

const described = z.object({
  sha256: z.string(),
  inputs: z.array(z.object({ path: z.string(), mtimeMs: z.number(), size: z.number() })),
});

/** The text of the bundle at `path`: the one of an earlier start if it still holds, otherwise what `make` makes, kept there. */
export async function keepBundle(path: string, make: () => Promise<Bundle>): Promise<string> {
  const kept = readKept(path);
  if (kept !== null) return kept;
  const { text, inputs } = await make();
  const stamps = [...inputs, LOCKFILE].map((input) => stampOf(resolve(input)));
  mkdirSync(dirname(path), { recursive: true });
  writeFileAtomically(path, text);
  writeFileAtomically(descriptionOf(path), JSON.stringify({ sha256: digest(text), inputs: stamps }));
  return text;
}

function readKept(path: string): string | null {
  try {
    const { sha256, inputs } = described.parse(JSON.parse(readFileSync(descriptionOf(path), "utf8")));
    const text = readFileSync(path, "utf8");
    const isSame = inputs.every((input) => {
      const { mtimeMs, size } = stampOf(input.path);
      return mtimeMs === input.mtimeMs && size === input.size;
    });
    return isSame && digest(text) === sha256 ? text : null;
  } catch (error) {
    // Never made, half made or of files that are gone: it is made anew.
    if (systemErrorCode(error) === "ENOENT") return null;
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

function stampOf(path: string): { path: string; mtimeMs: number; size: number } {
  const { mtimeMs, size } = statSync(path);
  return { path, mtimeMs, size };
}

const descriptionOf = (path: string): string => `${path}.inputs.json`;
const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
