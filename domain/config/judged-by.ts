import { type Refusal, refuse } from "../command/apply-verb.ts";
import { sha256OfText } from "../sha256-of-text.ts";
import type { Config } from "./config.ts";

/** What of a config a content without a format or schema of its own is judged by; its SHA-256 names it in a command. */
export function judgedText({ format, schema }: Pick<Config, "format" | "schema">): string {
  return JSON.stringify([format, schema]);
}

/**
 * Refuses (`precondition_failed`) a content that was judged by another format or schema than its config has now (C3): a bundle
 * may have changed them since. Null when it was not, and for a command that does not say.
 */
export function refuseMisjudged(
  { judged_by }: { judged_by?: string | undefined },
  config: Pick<Config, "format" | "schema">,
): Refusal | null {
  if (judged_by === undefined || judged_by === sha256OfText(judgedText(config))) return null;
  return refuse(
    "precondition_failed",
    "the config has another format or schema than the content was judged by",
  );
}
