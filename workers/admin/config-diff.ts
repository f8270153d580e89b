import type { OpenAPIHono } from "@hono/zod-openapi";
import { diffQuery, versionDiff } from "../../contracts/config/diff-schemas.ts";
import { idParams } from "../../contracts/config/fields.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { ConfigVersion } from "../../domain/config/config.ts";
import { declareRoute, json } from "./declare-route.ts";
import { diffContent, type DiffSide, omitDiff } from "./diff-content.ts";
import { findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/diff",
    tags: ["versions"],
    summary: "Compare two versions, as text and as JSON values",
    description: "Content that is encrypted, binary or too large is not compared; the answer says so.",
    request: { params: idParams, query: diffQuery },
    responses: { 200: { description: "How they differ", content: json(versionDiff) } },
  },
);

/** C9: the bytes of an encrypted config are not even read. */
export function registerConfigDiff(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { from, to, consistency } = c.req.valid("query");
    const options = { consistency, traceparent: c.var.traceparent };
    const { core } = c.var.deps;
    const config = await findConfig(c, c.req.valid("param").id, consistency);
    const { namespace, name } = config;
    const find = (version_id: number) => core.getVersion({ config_id: config.id, version_id }, options);
    const [before, after] = await Promise.all([find(from), find(to)]);
    const read = async ({ version }: { version: ConfigVersion }): Promise<DiffSide> => ({
      versionId: version.version_id,
      format: version.format,
      bytes: await core.getBlob({ tenant: namespace.tenant, sha256: version.sha256 }, options),
    });
    const diff = config.encrypted
      ? omitDiff({ reason: "encrypted", detail: "Encrypted content is not compared." })
      : diffContent(fullName(namespace, name), ...(await Promise.all([read(before), read(after)])));
    const sides = { from: viewSide(before.version), to: viewSide(after.version) };
    return c.json({ config_id: config.id, ...sides, ...diff }, 200);
  });
}

function viewSide({ version_id, format, sha256, sealed, content_bytes }: ConfigVersion) {
  const hash = sealed?.content_sha256 ?? sha256;
  return { version_id, format, content_hash: `sha256:${hash}`, content_bytes };
}
