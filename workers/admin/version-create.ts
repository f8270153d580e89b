import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import { createVersionRequest, versionWritten } from "../../contracts/config/config-schemas.ts";
import { idParams, updateHeaders } from "../../contracts/config/fields.ts";
import { commandHead, configEtag, writtenIndex } from "./command-head.ts";
import { viewVersion } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { sealUnder, withoutQuotes } from "./encryption-keys.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import { judgeAnew, judgedBy, namesRevision, proposeJudged } from "./judged-content.ts";
import type { AdminEnv } from "./principal.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent, schemaText, validateContent } from "./read-content.ts";
import { refuseTyped } from "./refuse-typed.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/configs/{id}/versions",
    tags: ["versions"],
    summary: "Add an immutable version",
    description:
      "No client gets it before a release rule names it. Without a schema of its own the config's applies.",
    request: {
      params: idParams,
      headers: updateHeaders,
      body: { required: true, content: json(createVersionRequest) },
    },
    responses: { 201: { description: "Created", content: json(versionWritten) } },
  },
);

/** C2, C3: the content must be of its format and satisfy the version's schema, or else the config's. */
export function registerVersionCreate(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const propose = () => proposeVersion(c, id, c.req.valid("json"));
    const answer = await judgeAnew(propose, { isOfRevision: namesRevision(c) });
    const { version, config: changed } = answer.result;
    const etag = configEtag(changed.revision);
    c.header("location", `/api/v1/mgt/configs/${changed.id}/versions/${version.version_id}`);
    return c.json({ ...viewVersion(version), etag, index: await writtenIndex(c, answer) }, 201);
  });
}

async function proposeVersion(c: Context<AdminEnv>, id: string, body: z.output<typeof createVersionRequest>) {
  const { config, live, revision } = await findConfigForWrite(c, id);
  refuseTyped(config);
  const { bytes, sha256 } = await readContent(body);
  refuseOverSize(bytes, await c.var.deps.quotasOf(c, config.namespace.tenant));
  const schema = schemaText(body.schema);
  // A config that is gone takes no content: the core repeats what it answered before, or refuses.
  const isSecret = live?.encrypted ?? false;
  if (live !== null) {
    const rules = { format: body.format ?? live.format, schema: schema ?? live.schema };
    await withoutQuotes(isSecret, () => validateContent({ ...rules, bytes, isSecret }));
  }
  const seal = isSecret ? await sealUnder(c, config.namespace) : undefined;
  const isByOwn = body.format !== undefined && schema !== null;
  const judged = live === null || isByOwn ? {} : { judged_by: await judgedBy(live) };
  const head = await commandHead(c, config.namespace.tenant, revision);
  const payload = {
    config_id: config.id,
    content: { attachment: 0, sha256 },
    format: body.format ?? null,
    schema,
    description: body.description,
  };
  const { core } = c.var.deps;
  const { traceparent } = c.var;
  return proposeJudged((saysSo) => {
    const command = {
      ...head,
      kind: "create_version" as const,
      payload: { ...payload, ...(saysSo ? judged : {}) },
    };
    return core.propose({ command, attachments: [bytes], seal }, { traceparent });
  });
}
