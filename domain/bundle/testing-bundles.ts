import type { CommandOf } from "../command/command.ts";
import type { Command } from "../command/command.ts";
import { testCommand } from "../command/testing-commands.ts";
import { sha256OfText } from "../sha256-of-text.ts";
import { type BundleConfig, type BundleRequest, type BundleRule } from "./bundle.ts";

/** An entry as a test writes it: contents are their texts, which stand for their bytes. */
export interface TestEntry extends Partial<Omit<BundleConfig, "content" | "versions" | "releases">> {
  name: string;
  /** `sha256:<hex>`: by hash alone. */
  content: string;
  versions?: Record<string, string>;
  releases?: BundleRule[] | null;
}

/** A command that applies entries of `demo/shop/prod`, with the attachments that it names. */
export function testBundle(
  id: string,
  entries: readonly TestEntry[],
  flags: Partial<Omit<BundleRequest, "bundle_id" | "configs">> & {
    if_plan?: string;
    max_configs?: number;
  } = {},
): { command: CommandOf<"apply_bundle"> & Command; attachments: Uint8Array[] } {
  const attachments: Uint8Array[] = [];
  const take = (text: string): BundleConfig["content"] => {
    if (text.startsWith("sha256:")) return { attachment: null, sha256: text.slice("sha256:".length) };
    attachments.push(Uint8Array.from(text, (char) => char.charCodeAt(0)));
    return { attachment: attachments.length - 1, sha256: sha256OfText(text) };
  };
  const configs = entries.map(({ content, versions = {}, releases = null, ...entry }): BundleConfig => ({
    app: "shop",
    env: "prod",
    format: "text",
    schema: null,
    description: "",
    retention: null,
    ...entry,
    content: take(content),
    versions: Object.entries(versions).map(([name, text]) => ({
      name,
      format: entry.format ?? "text",
      content: take(text),
    })),
    releases,
  }));
  const command = testCommand("apply_bundle", {
    bundle_id: id,
    configs,
    prune: false,
    adopt: false,
    force: false,
    abort_plan: false,
    if_plan: null,
    ...flags,
  });
  return { command, attachments };
}

/** A rule of a bundle for clients with the label `l`, or for everyone. */
export function bundleRule(version: string | number, label?: string): BundleRule {
  return { labels: label === undefined ? {} : { l: label }, priority: 0, version };
}
