import {
  type Command,
  COMMAND_FORMAT_VERSION,
  type CommandOf,
  type CommandPayloads,
} from "../command/command.ts";
import type { RewrapScope } from "./envelope-place.ts";

/** The configs that are meant, as the audit names them. */
export function rewrapResource({ tenant, app = "*", env = "*", name = "*" }: RewrapScope): string {
  return `${tenant}/${app}/${env}/${name}`;
}

/** The command by which a core writes new wrappings down. */
export function rewrapCommand(
  asked: {
    tenant: string;
    head: Pick<Command, "actor" | "ip" | "trace_id">;
    idempotency?: Command["idempotency"] | undefined;
  },
  payload: CommandPayloads["rewrap_keys"],
): CommandOf<"rewrap_keys"> {
  return {
    format: COMMAND_FORMAT_VERSION,
    kind: "rewrap_keys",
    tenant: asked.tenant,
    ...asked.head,
    idempotency: asked.idempotency ?? null,
    expected_revision: null,
    payload,
  };
}
