import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { BundleDocument, BundleEntry } from "../contracts/bundle/bundle-schemas.ts";
import { folderOf, HEAD_FILE, META_SUFFIX } from "./bundle-layout.ts";
import { CliError, EXIT } from "./cli-io.ts";
import { listBundleFiles } from "./read-bundle.ts";
import { toYaml } from "./to-yaml.ts";

/**
 * Writes a bundle as a directory (bundle-layout.ts): the same files for the same bundle. Files of a bundle that was there
 * before and that are not written again are removed, so that a repository follows what it is an export of. Throws a
 * `CliError`, and writes nothing, when a config's name is one that a directory has for something else.
 */
export function writeBundle(root: string, { bundle, configs }: BundleDocument): void {
  const files = new Map<string, string | Uint8Array>([[HEAD_FILE, toYaml(bundle)]]);
  for (const entry of configs) {
    const folder = folderOf(bundle, { app: entry.app ?? "", env: entry.env ?? "" }).join("/");
    for (const [name, text] of filesOf(entry)) {
      const file = join(folder, name);
      // Read back, either would be another config's metadata, or the bundle's head.
      if (files.has(file) || (name === entry.name && name.endsWith(META_SUFFIX))) throw taken(file);
      files.set(file, text);
    }
  }
  for (const old of listBundleFiles(root)) if (!files.has(old)) rmSync(join(root, old));
  for (const [file, content] of files) {
    const path = join(root, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

function taken(file: string): CliError {
  const message = `no directory can hold a config of the name ${file}: export it without --dir, as one file`;
  return new CliError(EXIT.refused, message);
}

type Contents = Pick<BundleEntry, "content" | "content_base64" | "content_hash">;

function filesOf(entry: BundleEntry): [string, string | Uint8Array][] {
  const { app: _app, env: _env, name, content, content_base64, content_hash, versions, ...rest } = entry;
  const files: [string, string | Uint8Array][] = [];
  const own = bytesOf({ content, content_base64 });
  if (own !== null) files.push([name, own]);
  const others = versions?.map(({ content: text, content_base64: base64, ...version }) => {
    const bytes = bytesOf({ content: text, content_base64: base64 });
    if (bytes === null) return version;
    const file = `${name}@${version.name}`;
    files.push([file, bytes]);
    return { ...version, file };
  });
  const meta = {
    ...rest,
    ...(content_hash === undefined ? {} : { content_hash }),
    ...(others === undefined || others.length === 0 ? {} : { versions: others }),
  };
  files.push([`${name}${META_SUFFIX}`, toYaml(meta)]);
  return files;
}

function bytesOf({ content, content_base64 }: Omit<Contents, "content_hash">): string | Uint8Array | null {
  if (content !== undefined) return content;
  return content_base64 === undefined ? null : Buffer.from(content_base64, "base64");
}
