import type { Context } from "hono";
import type { z } from "zod";
import type { batchRequest } from "../../contracts/config/batch-schemas.ts";
import type { SealUnder } from "../../contracts/core/core-port.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { BatchItem } from "../../domain/command/command.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { Config } from "../../domain/config/config.ts";
import { requireKeyIds, withoutQuotes } from "./encryption-keys.ts";
import { type ConfigForWrite, findConfigForWrite } from "./find-config-for-write.ts";
import { judgedBy } from "./judged-content.ts";
import type { AdminEnv } from "./principal.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent, schemaText, validateContent } from "./read-content.ts";
import { refuseFaultyPatterns } from "./refuse-faulty-patterns.ts";
import { refuseTyped } from "./refuse-typed.ts";
import { requirePermission } from "./require-permission.ts";

type Body = z.output<typeof batchRequest>;
type Item = Body["items"][number];
type Found = ConfigForWrite["config"];
interface ReadItem {
  item: BatchItem;
  config: Found;
  /** Null: it is gone. */
  live: Config | null;
}

/** A batch as a command carries it. */
interface ReadBatch {
  tenant: string;
  items: BatchItem[];
  /** In the order of the items. */
  configs: Found[];
  attachments: Uint8Array[];
  /** How the core is to seal the contents of encrypted configs; undefined: there are none. */
  seal: SealUnder | undefined;
}

/**
 * Reads a batch and checks that its caller may do with each config what the route declares, and write those that get a
 * content. `isOfNow`: an item that names no ETag is of the config as it is now, which is what others approve. What is refused is
 * told with its item's place.
 */
export async function readBatch(
  c: Context<AdminEnv>,
  { items }: Body,
  { isOfNow = false }: { isOfNow?: boolean } = {},
): Promise<ReadBatch> {
  const read: ReadItem[] = [];
  const attachments: Uint8Array[] = [];
  for (const [i, item] of items.entries()) {
    read.push(await atItem(i, () => readItem(c, item, { attachments, isOfNow })));
  }
  const tenant = oneTenant(read);
  const secrets = read.filter(({ item, live }) => item.content !== null && live?.encrypted === true);
  return {
    tenant,
    items: read.map(({ item }) => item),
    configs: read.map(({ config }) => config),
    attachments,
    seal: secrets.length === 0 ? undefined : await sealEach(c, tenant, secrets),
  };
}

/** An item as the command has it, when its caller may do it; its content goes to `attachments`. */
async function readItem(
  c: Context<AdminEnv>,
  item: Item,
  { attachments, isOfNow }: { attachments: Uint8Array[]; isOfNow: boolean },
): Promise<ReadItem> {
  const { releases = null, default_version_id = null, description } = item;
  if (releases !== null) refuseFaultyPatterns(releases, "/releases");
  const { config, live } = await findConfigForWrite(c, item.config_id);
  refuseTyped(config, "/config_id");
  const schema = schemaText(item.schema);
  let content: BatchItem["content"] = null;
  let judged: Pick<BatchItem, "judged_by"> = {};
  if (item.content !== undefined || item.content_base64 !== undefined) {
    await requirePermission(c, "write", fullName(config.namespace, config.name));
    const { bytes, sha256 } = await readContent(item);
    refuseOverSize(bytes, await c.var.deps.quotasOf(c, config.namespace.tenant));
    // A config that is gone takes no content: the core repeats what it answered before, or refuses.
    if (live !== null) {
      const whole = { format: live.format, bytes, schema: schema ?? live.schema };
      await withoutQuotes(live.encrypted, () => validateContent({ ...whole, isSecret: live.encrypted }));
      // What others approve is of a revision, and so of its format and schema.
      if (!isOfNow) judged = { judged_by: await judgedBy(live) };
    }
    content = { attachment: attachments.length, sha256 };
    attachments.push(bytes);
  } else if (schema !== null) {
    const message = "a schema is of a new version: give content";
    throw new ConfluxError("validation_failed", message, { errors: [{ path: "/schema", message }] });
  }
  const ofNow = isOfNow ? (live?.revision ?? 0) : null;
  const expected_revision = item.if_match === undefined ? ofNow : Number(item.if_match.slice(1, -1));
  const { config_id } = item;
  const rest = { schema, description, releases, default_version_id, ...judged };
  return { config, live, item: { config_id, expected_revision, content, ...rest } };
}

/** The KMS keys of the applications that get a content to seal; the core's default for those that have none. */
async function sealEach(
  c: Context<AdminEnv>,
  tenant: string,
  secrets: readonly ReadItem[],
): Promise<SealUnder> {
  const all = await c.var.deps.applicationKeys(c, tenant);
  const apps = new Set(secrets.map(({ config }) => config.namespace.app));
  const keys = Object.fromEntries(Object.entries(all).filter(([app]) => apps.has(app)));
  return { key_id: null, keys: requireKeyIds(keys) };
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
