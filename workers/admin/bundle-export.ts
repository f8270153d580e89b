import type { OpenAPIHono } from "@hono/zod-openapi";
import { bundleDocument, exportQuery } from "../../contracts/bundle/bundle-schemas.ts";
import type { BundleExportAnswer } from "../../contracts/core/core-api.ts";
import { NAME_CHARACTERS_MAX } from "../../domain/config/config-name.ts";
import { grayKindOf } from "../../domain/gray-config/gray-kind.ts";
import type { ExportedConfig, ExportedVersion } from "../../domain/bundle/export-bundle.ts";
import { viewSchema } from "./config-views.ts";
import { declareRoute } from "./declare-route.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { toYaml } from "./to-yaml.ts";

const YAML_TYPE = "application/yaml";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app or *}/{env or *}/*" },
  {
    method: "get",
    path: "/api/v1/mgt/export",
    tags: ["bundles"],
    summary: "Export configs as a bundle",
    description:
      "Sorted, and the same text for the same configs. YAML with Accept: application/yaml. Encrypted contents are named by hash alone; typed configs are left out.",
    request: { query: exportQuery },
    responses: {
      200: {
        description: "A bundle that POST /mgt/apply takes",
        content: {
          "application/json": { schema: bundleDocument },
          [YAML_TYPE]: { schema: { type: "string" } },
        },
      },
    },
  },
);

/** C13: what a Git repository keeps. */
export function registerBundleExport(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { bundle, ...scope } = c.req.valid("query");
    const { tenant, app: appName, env } = scope;
    await requireDeclared(c, { tenant, app: appName, env });
    const exported = await c.var.deps.core.exportBundle(scope, { traceparent: c.var.traceparent });
    const names = [tenant, appName, env].filter((name) => name !== undefined).join("-");
    const id = bundle ?? names.slice(0, NAME_CHARACTERS_MAX);
    const document = {
      bundle: omitUndefined({ id, tenant, app: appName, env }),
      // A typed config is written by its own routes alone: with one of them in it, no bundle could be applied.
      configs: exported.configs
        .filter((config) => grayKindOf(config) === null)
        .map((config) => viewEntry(config, scope, exported.blobs)),
    };
    c.header("vary", "accept");
    if (wantsYaml(c.req.header("accept"))) {
      return c.body(toYaml(document), 200, {
        "content-type": YAML_TYPE,
      });
    }
    return c.body(`${JSON.stringify(document, null, 2)}\n`, 200, { "content-type": "application/json" });
  });
}

function wantsYaml(accept = ""): boolean {
  return accept.split(",").some((type) => /^\s*(application|text)\/(x-)?yaml\b/i.test(type));
}

function viewEntry(
  config: ExportedConfig,
  scope: { app?: string | undefined; env?: string | undefined },
  blobs: BundleExportAnswer["blobs"],
) {
  const { contents, schema, retention, releases } = config;
  const [own, ...others] = contents;
  if (own === undefined) throw new Error(`${config.name} was exported without a version`);
  return omitUndefined({
    app: scope.app === undefined ? config.app : undefined,
    env: scope.env === undefined ? config.env : undefined,
    name: config.name,
    format: config.format,
    description: config.description === "" ? undefined : config.description,
    retention: retention ?? undefined,
    schema: schema === null ? undefined : viewSchemaText(schema),
    ...viewContent(own, blobs),
    versions:
      others.length === 0
        ? undefined
        : others.map((version) =>
            omitUndefined({
              name: version.name,
              format: version.format === config.format ? undefined : version.format,
              ...viewContent(version, blobs),
            }),
          ),
    releases: releases.map(({ version, labels, priority, ...rule }) =>
      omitUndefined({
        version,
        priority: priority === 0 ? undefined : priority,
        labels: Object.keys(labels).length === 0 ? undefined : labels,
        ...rule,
      }),
    ),
  });
}

/** As an object when that gives the same text again, so that it reads well. */
function viewSchemaText(schema: string): unknown {
  const parsed = viewSchema(schema);
  const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
  return isObject && JSON.stringify(parsed) === schema ? parsed : schema;
}

function viewContent({ sha256, format, isEncrypted }: ExportedVersion, blobs: BundleExportAnswer["blobs"]) {
  const base64 = blobs[sha256];
  if (isEncrypted || base64 === undefined) return { content_hash: `sha256:${sha256}` };
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const text = format === "binary" ? null : asText(bytes);
  return text === null ? { content_base64: base64 } : { content: text };
}

/** The bytes as the text that gives them again; null when there is none. */
function asText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8: base64 says it.
    return null;
  }
}
