import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { parse, YAMLParseError } from "yaml";
import type { z } from "zod";
import {
  asText,
  type BundleHead,
  bundleHeadFile,
  type BundleJson,
  HEAD_FILE,
  META_SUFFIX,
  metaFile,
  placeOf,
} from "./bundle-layout.ts";
import { CliError, EXIT } from "./cli-io.ts";
import { systemWords } from "./system-words.ts";

/** A bundle from a file (JSON or YAML) or a directory (bundle-layout.ts). Throws a `CliError` that says what is wrong where. */
export function readBundle(path: string): BundleJson {
  if (!isDirectory(path)) return parseFile(path) as BundleJson;
  const head = checked(bundleHeadFile, parseFile(join(path, HEAD_FILE)), join(path, HEAD_FILE));
  const { metas, others } = listFiles(path);
  const used = new Set<string>();
  const configs = metas.map((meta) => readEntry(path, head, meta, used));
  const surplus = others.find((file) => !used.has(file));
  if (surplus !== undefined) {
    throw refused(`${join(path, surplus)} belongs to no config: it needs ${surplus}${META_SUFFIX} beside it`);
  }
  return { bundle: head, configs };
}

/** Every file of a bundle that is in a directory, from there; none when it holds no bundle. */
export function listBundleFiles(path: string): string[] {
  const head = join(path, HEAD_FILE);
  if (!isFile(head)) return [];
  const used = new Set<string>();
  const { metas } = listFiles(path);
  const parsed = checked(bundleHeadFile, parseFile(head), head);
  for (const meta of metas) readEntry(path, parsed, meta, used);
  return [...metas, ...used];
}

function readEntry(root: string, head: BundleHead, file: string, used: Set<string>): Record<string, unknown> {
  const path = join(root, file);
  const { schema_file, versions, ...meta } = checked(metaFile, parseFile(path) ?? {}, path);
  const segments = file.slice(0, -META_SUFFIX.length).split(sep);
  const name = segments.pop() ?? "";
  const place = placeOf(head, segments);
  if (place === null) {
    throw refused(
      `${path} is in the wrong directory: ${HEAD_FILE} says which of app and env are directories`,
    );
  }
  const take = (from: string): Uint8Array => {
    const full = resolve(dirname(path), from);
    const inside = relative(root, full);
    if (inside.startsWith("..")) throw refused(`${path} names ${from}, which is outside of the bundle`);
    used.add(inside);
    return readBytes(full);
  };
  const format = meta["format"];
  const entry: Record<string, unknown> = { ...place, name, ...meta };
  if (schema_file !== undefined) entry["schema"] = asText(take(schema_file)) ?? "";
  if (meta.content_hash === undefined) Object.assign(entry, contentOf(take(name), format));
  if (versions !== undefined) {
    entry["versions"] = versions.map(({ file: from, ...version }) =>
      from === undefined ? version : { ...version, ...contentOf(take(from), version["format"] ?? format) },
    );
  }
  return entry;
}

function contentOf(bytes: Uint8Array, format: unknown): { content: string } | { content_base64: string } {
  const text = format === "binary" ? null : asText(bytes);
  return text === null ? { content_base64: Buffer.from(bytes).toString("base64") } : { content: text };
}

/** All files below a directory in order of their names; hidden ones and READMEs are nobody's. */
function listFiles(root: string): { metas: string[]; others: string[] } {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => relative(root, join(file.parentPath, file.name)))
    .filter((file) => file !== HEAD_FILE && !file.split(sep).some((part) => part.startsWith(".")))
    .toSorted();
  return {
    metas: files.filter((file) => file.endsWith(META_SUFFIX)),
    others: files.filter((file) => !file.endsWith(META_SUFFIX) && !/(^|[\\/])README\.md$/.test(file)),
  };
}

function parseFile(path: string): unknown {
  const text = asText(readBytes(path));
  if (text === null) throw refused(`${path} is not UTF-8`);
  try {
    return parse(text) as unknown;
  } catch (cause) {
    throw refused(`${path}${faultOf(cause)}`, cause);
  }
}

/** Where and why the text is none of YAML (or JSON), in one line: the parser's message goes on with a picture of the place. */
function faultOf(cause: unknown): string {
  const [message = ""] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
  const at = cause instanceof YAMLParseError ? cause.linePos?.[0] : undefined;
  if (at === undefined) return `: ${message}`;
  return `:${at.line}:${at.col}: ${message.replace(/ at line \d+, column \d+:?$/, "")}`;
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw refused(`${path} cannot be read: ${systemWords(cause)}`, cause);
  }
}

function checked<T extends z.ZodType>(schema: T, value: unknown, path: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((issue) => `\n  /${issue.path.join("/")}: ${issue.message}`).join("");
  throw refused(`${path} is not as it should be:${wrong}`);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function refused(message: string, cause?: unknown): CliError {
  return new CliError(EXIT.refused, message, cause === undefined ? undefined : { cause });
}
