import type { OpenAPIHono } from "@hono/zod-openapi";
import { configReleased, createConfigRequest } from "../../contracts/config/config-schemas.ts";
import { createChangeHeaders } from "../../contracts/config/fields.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { viewConfig } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { sealUnder, withoutQuotes } from "./encryption-keys.ts";
import type { AdminEnv } from "./principal.ts";
import { proposeConfig } from "./propose-config.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent, schemaText, validateContent } from "./read-content.ts";
import { refuseFaultyPatterns } from "./refuse-faulty-patterns.ts";
import { refuseTyped } from "./refuse-typed.ts";
import { requireDeclared, requirePermission } from "./require-permission.ts";
import { warnOfReleases } from "./warn-of-releases.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}", also: "publish on it, with release rules" },
  {
    method: "post",
    path: "/api/v1/mgt/configs",
    tags: ["configs"],
    summary: "Create a config with its first version",
    description: "With release or releases the caller also needs the permission publish.",
    request: { headers: createChangeHeaders, body: { required: true, content: json(createConfigRequest) } },
    responses: { 201: { description: "Created", content: json(configReleased) } },
  },
);

/** C1: a config, its version 1 and its first release rules in one command. K1: its content goes to the core to be sealed. */
export function registerConfigCreate(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const namespace = { tenant: body.tenant, app: body.app, env: body.env };
    const resource = fullName(namespace, body.name);
    await requireDeclared(c, { ...namespace, name: body.name });
    refuseTyped({ namespace, name: body.name }, "/app");
    const releases: ReleaseRule[] = body.release
      ? [{ labels: {}, version_id: 1, priority: 0 }]
      : (body.releases ?? []);
    refuseFaultyPatterns(releases, "/releases");
    if (releases.length > 0) await requirePermission(c, "publish", resource);
    const quotas = await c.var.deps.quotasOf(c, body.tenant);
    const { bytes, sha256 } = await readContent(body);
    refuseOverSize(bytes, quotas);
    const schema = schemaText(body.schema);
    await withoutQuotes(body.encrypt, () =>
      validateContent({ format: body.format, bytes, schema, isSecret: body.encrypt }),
    );
    const seal = body.encrypt ? await sealUnder(c, namespace) : undefined;
    const command = {
      ...(await commandHead(c, body.tenant)),
      ...(await breakGlass(c, { namespace, name: body.name })),
      kind: "create_config" as const,
      payload: {
        namespace,
        name: body.name,
        format: body.format,
        content: { attachment: 0, sha256 },
        schema,
        description: body.description,
        encrypted: body.encrypt,
        retention: body.retention ?? null,
        releases,
        max_configs: quotas.maxConfigs,
      },
    };
    const answer = await proposeConfig(c, command, { attachments: [bytes], seal });
    const view = viewConfig(answer.result.config);
    c.header("etag", view.etag);
    c.header("location", `/api/v1/mgt/configs/${view.id}`);
    const warnings = warnOfReleases(view.releases, c.var.deps.regions);
    return c.json({ ...view, index: await writtenIndex(c, answer), warnings }, 201);
  });
}
