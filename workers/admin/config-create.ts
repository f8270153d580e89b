import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { configWritten, createConfigRequest } from "../../contracts/config/config-schemas.ts";
import { createChangeHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { viewConfig } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { sealUnder, withoutQuotes } from "./encryption-keys.ts";
import type { AdminEnv } from "./principal.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent, schemaText, validateContent } from "./read-content.ts";
import { refuseFaultyPatterns } from "./refuse-faulty-patterns.ts";
import { requireDeclared, requirePermission } from "./require-permission.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}", also: "publish on it, with release rules" },
  {
    method: "post",
    path: "/api/v1/mgt/configs",
    tags: ["configs"],
    summary: "Create a config with its first version",
    description: "With release or releases the caller also needs the permission publish.",
    request: { headers: createChangeHeaders, body: { required: true, content: json(createConfigRequest) } },
    responses: { 201: { description: "Created", content: json(configWritten) } },
  },
);

/** C1: a config, its version 1 and its first release rules in one command. K1: its content goes to the core to be sealed. */
export function registerConfigCreate(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const namespace = { tenant: body.tenant, app: body.app, env: body.env };
    const resource = fullName(namespace, body.name);
    await requireDeclared(c, { ...namespace, name: body.name });
    const releases: ReleaseRule[] = body.release
      ? [{ labels: {}, version_id: 1, priority: 0 }]
      : (body.releases ?? []);
    refuseFaultyPatterns(releases, "/releases");
    if (releases.length > 0) await requirePermission(c, "publish", resource);
    const quotas = await c.var.deps.quotasOf(c, body.tenant);
    const { bytes, sha256 } = await readContent(body);
    refuseOverSize(bytes, quotas);
    const schema = schemaText(body.schema);
    await withoutQuotes(body.encrypt, () => validateContent({ format: body.format, bytes, schema }));
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
    const answer = await proposeLimited(c, command, { attachments: [bytes], seal });
    const view = viewConfig(answer.result.config);
    c.header("etag", view.etag);
    c.header("location", `/api/v1/mgt/configs/${view.id}`);
    return c.json({ ...view, index: await writtenIndex(c, answer) }, 201);
  });
}

/**
 * Proposes a new config with the tenant's limit (A6). While the core is upgraded from a build that knows none, the limit
 * does not hold up the work: then it is proposed without.
 */
async function proposeLimited(
  c: Context<AdminEnv>,
  command: CommandOf<"create_config">,
  content: { attachments: Uint8Array[]; seal: { key_id: string | null } | undefined },
) {
  const { core, log } = c.var.deps;
  const options = { traceparent: c.var.traceparent };
  try {
    return await core.propose({ command, ...content }, options);
  } catch (error) {
    if (!(error instanceof ConfluxError && error.code === "upgrade_in_progress")) throw error;
    const { max_configs: _unknown, ...payload } = command.payload;
    const answer = await core.propose({ command: { ...command, payload }, ...content }, options);
    const { tenant, trace_id } = command;
    log({
      level: "warn",
      message: "max_configs was not asked: the core is being upgraded",
      tenant,
      trace_id,
    });
    return answer;
  }
}
