import type { Context } from "hono";
import type { OperationOfOneBody } from "../../contracts/change-request/change-request-api.ts";
import type { OperationOfOne } from "../../domain/command/command.ts";
import type { Config, DeletedConfig } from "../../domain/config/config.ts";
import { sealUnder, withoutQuotes } from "./encryption-keys.ts";
import type { AdminEnv } from "./principal.ts";
import { readStages } from "./read-publish-stages.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent, schemaText, validateContent } from "./read-content.ts";
import { refuseFaultyPatterns } from "./refuse-faulty-patterns.ts";
import { refuseDraftOfTyped, refuseTyped } from "./refuse-typed.ts";

interface ReadOperation {
  operation: OperationOfOne;
  attachments: Uint8Array[];
  /** How the core is to seal the content; undefined: not at all. */
  seal: Seal;
}
type Seal = { key_id: string | null } | undefined;

/**
 * What a request asks of one config as the log has it, checked like the route that would do it at once. Content of an encrypted
 * config is sealed before it is kept, so it is the envelope that is approved. `live` is null for a config that is gone.
 */
export async function readOperation(
  c: Context<AdminEnv>,
  body: OperationOfOneBody,
  { config, live }: { config: DeletedConfig; live: Config | null },
): Promise<ReadOperation> {
  const config_id = config.id;
  switch (body.type) {
    case "releases": {
      const { releases, abort_plan } = body;
      refuseTyped(config, "/releases");
      refuseFaultyPatterns(releases, "/releases");
      return withoutContent({ kind: "put_releases", payload: { config_id, releases, abort_plan } });
    }
    case "rollback": {
      const { version_id, abort_plan } = body;
      if (live !== null) await refuseDraftOfTyped(c, live, version_id);
      return withoutContent({ kind: "rollback", payload: { config_id, version_id, abort_plan } });
    }
    case "delete":
      return withoutContent({ kind: "delete_config", payload: { config_id } });
    case "version": {
      const { version } = body;
      const schema = schemaText(version.schema);
      const content = await takeContent(c, version, { config, live, schema, format: version.format });
      const format = version.format ?? null;
      const payload = { config_id, content: content.ref, format, schema, description: version.description };
      return {
        operation: { kind: "create_version", payload },
        attachments: [content.bytes],
        seal: content.seal,
      };
    }
    default: {
      const { publish } = body;
      const content =
        publish.version_id === undefined
          ? await takeContent(c, publish, { config, live, schema: null })
          : null;
      const payload = {
        config_id,
        content: content && content.ref,
        version_id: publish.version_id ?? null,
        description: publish.description,
        strategy: publish.strategy.type,
        stages: await readStages(c, publish, config),
        form: 2 as const,
      };
      return {
        operation: { kind: "start_publish", payload },
        attachments: content === null ? [] : [content.bytes],
        seal: content?.seal,
      };
    }
  }
}

function withoutContent(operation: OperationOfOne): ReadOperation {
  return { operation, attachments: [], seal: undefined };
}

async function takeContent(
  c: Context<AdminEnv>,
  body: Parameters<typeof readContent>[0],
  of: {
    config: DeletedConfig;
    live: Config | null;
    schema: string | null;
    format?: Config["format"] | undefined;
  },
): Promise<{ ref: { attachment: number; sha256: string }; bytes: Uint8Array; seal: Seal }> {
  const { config, live, schema, format } = of;
  refuseTyped(config);
  const { bytes, sha256 } = await readContent(body);
  refuseOverSize(bytes, await c.var.deps.quotasOf(c, config.namespace.tenant));
  const isSecret = live?.encrypted ?? false;
  if (live !== null) {
    const whole = { format: format ?? live.format, bytes, schema: schema ?? live.schema };
    await withoutQuotes(isSecret, () => validateContent({ ...whole, isSecret }));
  }
  const seal = isSecret ? await sealUnder(c, config.namespace) : undefined;
  return { ref: { attachment: 0, sha256 }, bytes, seal };
}
