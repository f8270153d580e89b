import { existsSync, readdirSync } from "node:fs";
import { basename, extname, join } from "node:path";

/**
 * Real schemas with real documents, and real .properties files. All of them when the shared data lies beside the
 * repository (or where CONFLUX_SHARED_DATA says), otherwise the few that are committed.
 */
const ROOT = join(import.meta.dirname, "../..");
const shared = process.env["CONFLUX_SHARED_DATA"] ?? join(ROOT, "../shared/data");
const isWhole = existsSync(join(shared, "schemastore"));
const data = isWhole ? shared : join(ROOT, "test/fixtures");
const FORMATS: Record<string, string> = { ".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml" };

/** For the name of a suite: says which of the two sets it ran on. */
export const REAL_INPUT = isWhole ? "the whole set" : "the committed subset (no shared data here)";

export interface RealDocument {
  /** Path below the data folder; for test names. */
  title: string;
  file: string;
  format: string;
  /** Path of its JSON Schema; null for .properties. */
  schema: string | null;
}

/** The documents that satisfy their schema, or those that do not. */
export function schemaStoreDocuments(kind: "valid" | "invalid"): RealDocument[] {
  const root = join(data, "schemastore");
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, entry.name, kind)))
    .flatMap(({ name }) =>
      readdirSync(join(root, name, kind)).map((file) => ({
        title: `schemastore/${name}/${kind}/${file}`,
        file: join(root, name, kind, file),
        format: FORMATS[extname(file)] ?? "text",
        schema: join(root, name, "schema.json"),
      })),
    );
}

export function kafkaProperties(): RealDocument[] {
  const root = join(data, "kafka");
  return readdirSync(root)
    .filter((file) => file.endsWith(".properties"))
    .map((file) => ({ title: `kafka/${file}`, file: join(root, file), format: "properties", schema: null }));
}

/** Whole API descriptions in YAML; none in the committed subset. */
export function openApiDocuments(): RealDocument[] {
  const root = join(data, "ofrep");
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => ({ title: `ofrep/${file}`, file: join(root, file), format: "yaml", schema: null }));
}

/** A config name made of a file's name. */
export function configNameOf(file: string, serial: number): string {
  return `${serial}-${basename(file)
    .replaceAll(/[^A-Za-z0-9.]/g, "-")
    .replaceAll(/\.{2,}/g, ".")}`;
}
