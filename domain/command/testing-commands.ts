import type { ReleaseRule } from "../release-rule/release-rule.ts";
import type { Command, CommandKind, CommandOf, CommandPayloads } from "./command.ts";

/** Commands for tests: what a test does not care about has a sensible value. */
export function testCommand<K extends CommandKind>(
  kind: K,
  payload: CommandPayloads[K],
  more: Partial<Omit<CommandOf<K>, "kind" | "payload">> = {},
): CommandOf<K> & Command {
  const command: CommandOf<K> = {
    format: 1,
    kind,
    tenant: "demo",
    actor: { type: "user", id: "u-1", name: "ada" },
    ip: "127.0.0.1",
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    idempotency: null,
    expected_revision: null,
    payload,
    ...more,
  };
  return command as CommandOf<K> & Command;
}

/** Payload of a config `demo/shop/prod/<name>` whose content is the attachment 0. */
export function testConfigPayload(
  name: string,
  sha256: string,
  more: Partial<CommandPayloads["create_config"]> = {},
): CommandPayloads["create_config"] {
  return {
    namespace: { tenant: "demo", app: "shop", env: "prod" },
    name,
    format: "json",
    content: { attachment: 0, sha256 },
    schema: null,
    description: "first",
    encrypted: false,
    retention: null,
    releases: [],
    ...more,
  };
}

export function testRule(
  versionId: number,
  labels: Record<string, string> = {},
  priority = 0,
  regions?: string[],
): ReleaseRule {
  return {
    labels,
    version_id: versionId,
    priority,
    ...(regions === undefined ? {} : { edge: { regions } }),
  };
}
