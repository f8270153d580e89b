import { z } from "zod";
import { type BundleDocument, bundleDocument } from "../contracts/bundle/bundle-schemas.ts";

/**
 * A bundle as a directory: `bundle.yaml` has its head, and each config is a plain file with its content, named as the config,
 * beside `<name>.meta.yaml` with the rest. A head that names no env, or no app and no env, has the configs in a directory for
 * each: `<env>/<name>`, `<app>/<env>/<name>`.
 */
export const HEAD_FILE = "bundle.yaml";
export const META_SUFFIX = ".meta.yaml";

export const bundleHeadFile = bundleDocument.shape.bundle;
export type BundleHead = z.output<typeof bundleHeadFile>;

/** What stands beside a content. The API checks the rest: what is not known here is passed on as it is. */
export const metaFile = z.looseObject({
  content_hash: z.string().optional(),
  schema_file: z.string().optional(),
  versions: z.array(z.looseObject({ name: z.string(), file: z.string().optional() })).optional(),
});

/** A bundle as it travels; entries are what the API makes of them. */
export interface BundleJson {
  bundle: BundleDocument["bundle"];
  configs: Record<string, unknown>[];
}

/** Where an entry's files are, from the bundle's directory; the parts that the head names are no directories. */
export function folderOf(head: BundleHead, { app = "", env = "" }: { app?: string; env?: string }): string[] {
  return [...(head.app === undefined ? [app] : []), ...(head.env === undefined ? [env] : [])];
}

/** What the folders of an entry name. */
export function placeOf(head: BundleHead, folders: readonly string[]): { app?: string; env?: string } | null {
  const wanted = folderOf(head, {});
  if (folders.length !== wanted.length) return null;
  const [first, second] = folders;
  if (first === undefined) return {};
  if (second !== undefined) return { app: first, env: second };
  return head.app === undefined ? { app: first } : { env: first };
}

/** The bytes as the text that gives them again; null when there is none. */
export function asText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8: base64 says it.
    return null;
  }
}
