import type { OpenAPIHono } from "@hono/zod-openapi";
import { createHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { isConfigName, NAME_CHARACTERS_MAX } from "../../domain/config/config-name.ts";
import { grayContentText, grayName, grayNamespace } from "../../domain/gray-config/gray-content.ts";
import { commandHead, configEtag, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { type GrayResource, grayAccess } from "./gray-resources.ts";
import { sealAccessKey } from "./gray-secret.ts";
import { viewGray } from "./gray-views.ts";
import type { AdminEnv } from "./principal.ts";
import { proposeConfig } from "./propose-config.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent } from "./read-content.ts";
import { requireDeclared } from "./require-permission.ts";

/** P1: a typed config with the draft of its first version. Nobody gets it before it is published. */
export function registerGrayCreate(app: OpenAPIHono<AdminEnv>, resource: GrayResource): void {
  const { kind, path, word } = resource;
  const route = declareRoute(
    { action: "write", resource: grayAccess(resource) },
    {
      method: "post",
      path,
      tags: ["typed configs"],
      summary: `Make a draft of a new ${word}`,
      request: { headers: createHeaders, body: { required: true, content: json(resource.create) } },
      responses: { 201: { description: "The draft", content: json(resource.views.written) } },
    },
  );
  app.openapi(route, async (c) => {
    const { tenant: named, loghub_accesskey_secret: secret, ...columns } = c.req.valid("json");
    const { deps } = c.var;
    const tenant = await deps.tenantOf(c, typeof named === "string" ? named : undefined);
    const name = requireName(grayName(kind, columns), kind === "data-source" ? "/source" : "/api_name");
    await requireDeclared(c, { tenant, name });
    const namespace = grayNamespace(tenant, kind);
    const quotas = await deps.quotasOf(c, tenant);
    const content = { columns, sealedSecret: await sealAccessKey(c, { namespace, name }, secret, null) };
    const { bytes, sha256 } = await readContent({ content: grayContentText(kind, content) });
    refuseOverSize(bytes, quotas);
    const command = {
      ...(await commandHead(c, tenant)),
      kind: "create_config" as const,
      payload: {
        namespace,
        name,
        format: "json" as const,
        content: { attachment: 0, sha256 },
        schema: null,
        description: "",
        encrypted: false,
        retention: null,
        releases: [],
        max_configs: quotas.maxConfigs,
      },
    };
    const answer = await proposeConfig(c, command, { attachments: [bytes], seal: undefined });
    const { config, version } = answer.result;
    const etag = configEtag(config.revision);
    c.header("etag", etag);
    c.header("location", `${path}/${config.id}`);
    const view = viewGray(resource, { config, version, content, plans: [] }, deps.regions);
    return c.json({ ...view, etag, index: await writtenIndex(c, answer) }, 201);
  });
}

/** Refuses a natural key that is too long for the config's name; its parts have been checked. */
function requireName(name: string, path: string): string {
  if (isConfigName(name)) return name;
  const message = `the natural key, ${name.length} characters long, is the config's name: at most ${NAME_CHARACTERS_MAX}`;
  throw new ConfluxError("validation_failed", "The natural key is too long", {
    errors: [{ path, message }],
  });
}
