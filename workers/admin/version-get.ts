import type { OpenAPIHono } from "@hono/zod-openapi";
import { versionView } from "../../contracts/config/config-schemas.ts";
import { readQuery, versionParams } from "../../contracts/config/fields.ts";
import { ENVELOPE_CONTENT_TYPE } from "../../contracts/encryption/encryption-context.ts";
import { CONTENT_TYPE_BY_FORMAT } from "../../domain/config/config.ts";
import { viewSchema, viewVersion } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";
import { versionStatuses } from "./version-statuses.ts";

const versionRoute = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/versions/{version}",
    tags: ["versions"],
    summary: "Get what is known of a version",
    description: "One that the config's retention has removed is not found, and the answer's detail says so.",
    request: { params: versionParams, query: readQuery },
    responses: { 200: { description: "The version", content: json(versionView) } },
  },
);

const contentRoute = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/versions/{version}/content",
    tags: ["versions"],
    summary: "Get a version's bytes as they came",
    request: { params: versionParams, query: readQuery },
    responses: {
      200: {
        description: "The raw bytes; Content-Type by format. Of an encrypted config: the envelope",
        content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
      },
    },
  },
);

export function registerVersionGet(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(versionRoute, async (c) => {
    const { id, version: version_id } = c.req.valid("param");
    const options = { ...c.req.valid("query"), traceparent: c.var.traceparent };
    const config = await findConfig(c, id, options.consistency);
    const { version } = await c.var.deps.core.getVersion({ config_id: config.id, version_id }, options);
    const status = (await versionStatuses(c, config, [version]))(version);
    return c.json({ ...viewVersion(version), status, schema: viewSchema(version.schema) }, 200);
  });
  app.openapi(contentRoute, async (c) => {
    const { id, version: version_id } = c.req.valid("param");
    const options = { ...c.req.valid("query"), traceparent: c.var.traceparent };
    const { core } = c.var.deps;
    const config = await findConfig(c, id, options.consistency);
    const { version } = await core.getVersion({ config_id: config.id, version_id }, options);
    const bytes = await core.getBlob({ tenant: config.namespace.tenant, sha256: version.sha256 }, options);
    return c.body(new Uint8Array(bytes), 200, {
      // The admin API has no way to open an envelope, and so nothing else to show (K4).
      "content-type":
        version.sealed === undefined ? CONTENT_TYPE_BY_FORMAT[version.format] : ENVELOPE_CONTENT_TYPE,
      "x-config-version": String(version.version_id),
      "x-config-hash": `sha256:${version.sha256}`,
      // Whatever a tenant has stored, a browser must not run it on this host.
      "content-security-policy": "default-src 'none'; sandbox",
    });
  });
}
