import type { BundleDocument, BundleEntry } from "../../contracts/bundle/bundle-schemas.ts";
import { ConfluxError, type FieldError } from "../../contracts/problem/error-codes.ts";
import type { BundleConfig, BundleContent } from "../../domain/bundle/bundle.ts";
import type { Namespace } from "../../domain/config/config-name.ts";
import type { ConfigFormat } from "../../domain/config/config.ts";
import type { TenantQuotas } from "../../domain/quota/tenant-quotas.ts";
import { withoutQuotes } from "./encryption-keys.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent, schemaText, validateContent, validateSchema } from "./read-content.ts";
import { refuseFaultyPatterns } from "./refuse-faulty-patterns.ts";
import { refuseTyped } from "./refuse-typed.ts";

/** Errors of one refusal. */
const ERRORS_MAX = 50;

type ContentFields = Pick<BundleEntry, "content" | "content_base64" | "content_hash">;

/**
 * A bundle as a command carries it, with the bytes of its contents, each once. Everything that single writes check is
 * checked (format, schema, sizes, expressions), and all that is wrong is told at once, by its path.
 */
export async function readBundle(
  { bundle, configs }: BundleDocument,
  quotas: TenantQuotas,
): Promise<{ configs: BundleConfig[]; attachments: Uint8Array[] }> {
  const reader = new BundleReader(quotas);
  const read: BundleConfig[] = [];
  for (const [i, entry] of configs.entries()) {
    const path = `/configs/${i}`;
    const { app = bundle.app, env = bundle.env } = entry;
    if (app === undefined)
      reader.errors.push({ path: `${path}/app`, message: "missing, here and in /bundle" });
    if (env === undefined)
      reader.errors.push({ path: `${path}/env`, message: "missing, here and in /bundle" });
    const namespace = { tenant: bundle.tenant, app: app ?? "", env: env ?? "" };
    read.push(await reader.readEntry(entry, namespace, path));
  }
  if (reader.errors.length > 0) {
    const code = reader.isTooLarge ? "payload_too_large" : "validation_failed";
    throw new ConfluxError(code, "The bundle is not valid", { errors: reader.errors.slice(0, ERRORS_MAX) });
  }
  return { configs: read, attachments: reader.attachments };
}

class BundleReader {
  readonly errors: FieldError[] = [];
  readonly attachments: Uint8Array[] = [];
  readonly #positions = new Map<string, number>();
  readonly #quotas: TenantQuotas;
  isTooLarge = false;

  constructor(quotas: TenantQuotas) {
    this.#quotas = quotas;
  }

  async readEntry(entry: BundleEntry, namespace: Namespace, path: string): Promise<BundleConfig> {
    const { name, format, description, retention, releases } = entry;
    await this.#collect(path, () => refuseTyped({ namespace, name }, "/app"));
    // Here and not with the content, which may be named by its hash alone. Of one at fault, only the content's form is looked at.
    const schema = (await this.#collect(path, () => readSchema(entry))) ?? null;
    const content = await this.#readContent(entry, { format, schema, path });
    const versions: BundleConfig["versions"] = [];
    for (const [i, version] of entry.versions.entries()) {
      const own = version.format ?? format;
      const at = `${path}/versions/${i}`;
      // A content from before the schema changed is served on: only its form is looked at.
      const bytes = await this.#readContent(version, { format: own, schema: null, path: at });
      versions.push({ name: version.name, format: own, content: bytes });
    }
    this.#refuseUnnamed(entry, path);
    const patterns = (releases ?? []).map(({ version: _version, ...rule }) => ({ ...rule, version_id: 1 }));
    await this.#collect("", () => refuseFaultyPatterns(patterns, `${path}/releases`));
    return {
      app: namespace.app,
      env: namespace.env,
      name,
      format,
      content,
      schema,
      description,
      retention,
      versions,
      releases: releases ?? null,
    };
  }

  /** Nothing holds a version that no rule names: once retention had removed it, every apply would make it anew. */
  #refuseUnnamed({ versions, releases }: BundleEntry, path: string): void {
    const named = new Set((releases ?? []).map(({ version }) => version));
    for (const [i, { name }] of versions.entries())
      if (!named.has(name)) this.errors.push({ path: `${path}/versions/${i}`, message: "no rule names it" });
  }

  async #readContent(
    body: ContentFields,
    { format, schema, path }: { format: ConfigFormat; schema: string | null; path: string },
  ): Promise<BundleContent> {
    if (body.content_hash !== undefined) {
      return { attachment: null, sha256: body.content_hash.slice("sha256:".length) };
    }
    try {
      const { bytes, sha256 } = await readContent(body);
      refuseOverSize(bytes, this.#quotas);
      // Whether its config is encrypted only the core knows, so each content is treated as one that is secret (K5).
      await withoutQuotes(true, () => validateContent({ format, bytes, schema, isSecret: true }));
      const position = this.#positions.get(sha256) ?? this.attachments.push(bytes) - 1;
      this.#positions.set(sha256, position);
      return { attachment: position, sha256 };
    } catch (error) {
      this.#take(path, error);
      return { attachment: null, sha256: "" };
    }
  }

  async #collect<T>(path: string, read: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      this.#take(path, error);
      return undefined;
    }
  }

  #take(path: string, error: unknown): void {
    if (!(error instanceof ConfluxError)) throw error;
    if (error.code === "payload_too_large") this.isTooLarge = true;
    this.errors.push(...error.errors.map((field) => ({ ...field, path: `${path}${field.path}` })));
  }
}

async function readSchema({ format, schema }: BundleEntry): Promise<string | null> {
  const text = schemaText(schema ?? undefined);
  if (text !== null) await validateSchema(format, text);
  return text;
}
