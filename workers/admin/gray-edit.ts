import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { idParams, updateHeaders } from "../../contracts/config/fields.ts";
import type { ProposeAnswer } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { VersionHead } from "../../domain/command/command-result.ts";
import {
  type GrayColumns,
  type GrayContent,
  grayContentText,
} from "../../domain/gray-config/gray-content.ts";
import { commandHead, configEtag, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import { readGray, readGrayWhole } from "./gray-read.ts";
import { type GrayResource, grayAccess, isOf } from "./gray-resources.ts";
import { sealAccessKey } from "./gray-secret.ts";
import { viewGray } from "./gray-views.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent } from "./read-content.ts";

/** How often an edit is made anew of what another one has written meanwhile; with `If-Match` never. */
const EDITS_MAX = 3;
/** Columns of the natural key, of one kind or another; those of another kind no content has. */
const KEY_COLUMNS = ["source", "gateway_code", "api_version", "api_name"];

/** P1: edits the draft; when the latest version was published, makes the draft of the next one. */
export function registerGrayEdit(app: OpenAPIHono<AdminEnv>, resource: GrayResource): void {
  const route = declareRoute(
    { action: "write", resource: grayAccess(resource) },
    {
      method: "put",
      path: `${resource.path}/{id}`,
      tags: ["typed configs"],
      summary: `Edit the draft of one ${resource.word}, or make its next draft`,
      description:
        "A draft keeps its version_id; once a publish plan has named a version it is never changed, and an edit makes the next one. Columns left out stay as they are.",
      request: {
        params: idParams,
        headers: updateHeaders,
        body: { required: true, content: json(resource.change) },
      },
      responses: { 200: { description: "The draft", content: json(resource.views.written) } },
    },
  );
  app.openapi(route, async (c) => {
    const { answer, version, content } = await edit(
      c,
      resource,
      c.req.valid("param").id,
      c.req.valid("json"),
    );
    const { config } = answer.result;
    const etag = configEtag(config.revision);
    c.header("etag", etag);
    const view = viewGray(resource, { config, version, content, plans: [] }, c.var.deps.regions);
    return c.json({ ...view, etag, index: await writtenIndex(c, answer) }, 200);
  });
}

interface Edited {
  answer: ProposeAnswer<"write_draft">;
  version: VersionHead;
  /** What the draft holds. */
  content: GrayContent;
}

async function edit(
  c: Context<AdminEnv>,
  resource: GrayResource,
  id: string,
  body: GrayColumns,
): Promise<Edited> {
  const { loghub_accesskey_secret: secret, ...changes } = body;
  const { core, quotasOf } = c.var.deps;
  let sealed: GrayContent["sealedSecret"] | undefined;
  for (let tries = 1; ; tries += 1) {
    const { config, live, revision } = await findConfigForWrite(c, id, isOf(resource));
    const before = live === null ? null : (await readGray(c, live)).content;
    const columns = { ...before?.columns, ...omitUndefined(changes) };
    if (before !== null) refuseOtherKey(before.columns, columns, config.name);
    if (typeof secret === "string") sealed ??= await sealAccessKey(c, config, secret, null);
    const content = { columns, sealedSecret: sealed === undefined ? (before?.sealedSecret ?? null) : sealed };
    const { bytes, sha256 } = await readContent({ content: grayContentText(resource.kind, content) });
    refuseOverSize(bytes, await quotasOf(c, config.namespace.tenant));
    const command = {
      // What it was made of, so that two edits at once lose nothing of each other.
      ...(await commandHead(c, config.namespace.tenant, revision ?? live?.revision ?? null)),
      kind: "write_draft" as const,
      payload: { config_id: config.id, content: { attachment: 0, sha256 }, description: "" },
    };
    try {
      const options = { traceparent: c.var.traceparent };
      const answer = await core.propose({ command, attachments: [bytes] }, options);
      const { version } = answer.result;
      if (!answer.replayed) return { answer, version, content };
      // What was written then; where a later edit of the same draft has written over that, the draft as it is now.
      return { answer, ...(await readGrayWhole(c, config, version)) };
    } catch (error) {
      const hasMoved = error instanceof ConfluxError && error.code === "precondition_failed";
      if (!hasMoved || revision !== null || tries === EDITS_MAX) throw error;
    }
  }
}

/** By its columns: a dot may be part of each, so other columns can make the same name. */
function refuseOtherKey(before: GrayColumns, after: GrayColumns, name: string): void {
  const changed = KEY_COLUMNS.filter((column) => before[column] !== after[column]);
  if (changed.length === 0) return;
  const message = `part of the natural key of ${name}, which stays: make another one`;
  const errors = changed.map((column) => ({ path: `/${column}`, message }));
  throw new ConfluxError("validation_failed", "The natural key cannot change", { errors });
}
