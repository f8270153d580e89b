import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import { batchRequest, batchWritten } from "../../contracts/config/batch-schemas.ts";
import { createChangeHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { abortPlanQuery } from "../../contracts/publish/publish-schemas.ts";
import type { BatchItem } from "../../domain/command/command.ts";
import type { Config } from "../../domain/config/config.ts";
import { fullName } from "../../domain/config/config-name.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { viewConfig, viewVersion } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { type ConfigForWrite, findConfigForWrite } from "./find-config-for-write.ts";
import type { AdminEnv } from "./principal.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent, schemaText, validateContent } from "./read-content.ts";
import { refuseFaultyPatterns } from "./refuse-faulty-patterns.ts";
import { refuseTyped } from "./refuse-typed.ts";
import { requirePermission } from "./require-permission.ts";
import { warnOfRegions } from "./warn-of-regions.ts";

type Item = z.output<typeof batchRequest>["items"][number];

const route = declareRoute(
  { action: "publish", resource: "{tenant}/{app}/{env}/{name}", also: "write on it, with content" },
  {
    method: "post",
    path: "/api/v1/mgt/releases:batch",
    tags: ["releases"],
    summary: "Change versions and rules of several configs, all or nothing",
    description:
      "One command and one index for all. Each item makes a new version of its content, if it has one, and then sets the whole list of rules or points the default rule somewhere. The permission is asked for each config. An error's path begins with its item; a config whose publish plan runs is publish_running, unless abort_plan=true ends it.",
    request: {
      headers: createChangeHeaders,
      query: abortPlanQuery,
      body: { required: true, content: json(batchRequest) },
    },
    responses: { 200: { description: "The configs in the order of the items", content: json(batchWritten) } },
  },
);

/** C7: several configs in one command. */
export function registerReleasesBatch(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { items } = c.req.valid("json");
    const read: ReadItem[] = [];
    const attachments: Uint8Array[] = [];
    for (const [i, item] of items.entries()) {
      read.push(await atItem(i, () => readItem(c, item, attachments)));
    }
    const tenant = oneTenant(read);
    let pass: Awaited<ReturnType<typeof breakGlass>> = {};
    for (const [i, { config }] of read.entries()) pass = await atItem(i, () => breakGlass(c, config));
    const command = {
      ...(await commandHead(c, tenant)),
      ...pass,
      kind: "batch_releases" as const,
      payload: {
        items: read.map(({ item }) => item),
        abort_plan: c.req.valid("query").abort_plan === "true",
      },
    };
    const { core, regions } = c.var.deps;
    const answer = await core.propose({ command, attachments }, { traceparent: c.var.traceparent });
    const done = answer.result.items.map(({ config, version, warnings }) => ({
      ...viewConfig(config),
      version: version && viewVersion(version),
      warnings: [...warnings, ...warnOfRegions(config.releases, regions)],
    }));
    return c.json({ items: done, index: await writtenIndex(c, answer) }, 200);
  });
}

interface ReadItem {
  item: BatchItem;
  config: ConfigForWrite["config"];
}

/** An item as the command has it, when its caller may do it; its content goes to `attachments`. */
async function readItem(c: Context<AdminEnv>, item: Item, attachments: Uint8Array[]): Promise<ReadItem> {
  const { releases = null, default_version_id = null, description } = item;
  if (releases !== null) refuseFaultyPatterns(releases, "/releases");
  const { config, live } = await findConfigForWrite(c, item.config_id);
  refuseTyped(config, "/config_id");
  const schema = schemaText(item.schema);
  let content: BatchItem["content"] = null;
  if (item.content !== undefined || item.content_base64 !== undefined) {
    await requirePermission(c, "write", fullName(config.namespace, config.name));
    const { bytes, sha256 } = await readContent(item);
    refuseOverSize(bytes, await c.var.deps.quotasOf(c, config.namespace.tenant));
    // A config that is gone takes no content: the core repeats what it answered before, or refuses.
    if (live !== null) {
      refuseEncrypted(live);
      await validateContent({ format: live.format, bytes, schema: schema ?? live.schema });
    }
    content = { attachment: attachments.length, sha256 };
    attachments.push(bytes);
  } else if (schema !== null) {
    const message = "a schema is of a new version: give content";
    throw new ConfluxError("validation_failed", message, { errors: [{ path: "/schema", message }] });
  }
  const expected_revision = item.if_match === undefined ? null : Number(item.if_match.slice(1, -1));
  const { config_id } = item;
  return {
    config,
    item: { config_id, expected_revision, content, schema, description, releases, default_version_id },
  };
}

/** A batch seals nothing. Before the content is looked at, since what is wrong with it would be quoted. */
function refuseEncrypted({ encrypted }: Config): void {
  if (!encrypted) return;
  const message = "the config is encrypted: make its version by itself, and name it here";
  throw new ConfluxError("validation_failed", message, { errors: [{ path: "/content", message }] });
}

/** Says of a refusal which item it is of. */
async function atItem<T>(i: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfluxError)) throw error;
    const { code, message, retryAfterS } = error;
    const at = `/items/${i}`;
    const errors =
      error.errors.length === 0
        ? [{ path: at, message: `${code}: ${message}` }]
        : error.errors.map((field) => ({ ...field, path: at + field.path }));
    const options = { errors, cause: error, ...(retryAfterS === undefined ? {} : { retryAfterS }) };
    throw new ConfluxError(code, message, options);
  }
}

function oneTenant(read: readonly ReadItem[]): string {
  const tenant = read[0]?.config.namespace.tenant ?? "";
  const other = read.findIndex(({ config }) => config.namespace.tenant !== tenant);
  if (other < 0) return tenant;
  const message = "of another tenant than the first: a batch is of one tenant";
  throw new ConfluxError("validation_failed", message, {
    errors: [{ path: `/items/${other}/config_id`, message }],
  });
}
