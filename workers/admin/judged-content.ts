import type { Context } from "hono";
import { sha256Hex } from "../../adapters/digest/sha256-hex.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Config } from "../../domain/config/config.ts";
import { judgedText } from "../../domain/config/judged-by.ts";
import type { AdminEnv } from "./principal.ts";

/** How often a content is judged when its config gets another format or schema meanwhile. */
const JUDGED_MAX = 3;

/** Names the format and schema of a config as they are when a content is judged by them. */
export function judgedBy(config: Pick<Config, "format" | "schema">): Promise<string> {
  return sha256Hex(judgedText(config));
}

/**
 * Reads, judges and proposes a content, and does so again when the config has got another format or schema in between (C3).
 * A caller who names the revision has it refused at once: it is of that revision alone.
 */
export async function judgeAnew<T>(
  work: () => Promise<T>,
  { isOfRevision }: { isOfRevision: boolean },
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const hasMoved = error instanceof ConfluxError && error.code === "precondition_failed";
      if (!hasMoved || isOfRevision || tries === JUDGED_MAX) throw error;
    }
  }
}

/** Whether the request is of one revision alone. */
export function namesRevision(c: Context<AdminEnv>): boolean {
  const header = c.req.header("if-match");
  return header !== undefined && header.trim() !== "*";
}

/**
 * Proposes a command that says by what its content was judged. While the core is upgraded from a build that does not know of
 * it, that does not hold up the work: then it is proposed without.
 */
export async function proposeJudged<T>(propose: (saysSo: boolean) => Promise<T>): Promise<T> {
  try {
    return await propose(true);
  } catch (error) {
    if (!(error instanceof ConfluxError)) throw error;
    // A leader of an older build finds no fault but that it does not know the field.
    if (error.code !== "upgrade_in_progress" && error.code !== "malformed_request") throw error;
    return propose(false);
  }
}
