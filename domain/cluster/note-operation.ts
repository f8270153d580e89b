import type { ApplyVerb } from "../command/apply-verb.ts";

/** An operation on the core that changes no state: in the log for its audit alone. */
export const noteOperation: ApplyVerb<"note_operation"> = ({ command }) => ({
  ok: true,
  changes: [],
  events: [],
  result: {},
  audit: { action: "write", resource: `${command.tenant}/cluster`, summary: command.payload.summary },
});
