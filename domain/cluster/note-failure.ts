import type { ApplyVerb } from "../command/apply-verb.ts";

/** An operation on the core that was refused or failed: in the log for its audit alone. */
export const noteFailure: ApplyVerb<"note_failure"> = ({ command }) => ({
  ok: true,
  changes: [],
  events: [],
  result: {},
  audit: {
    action: "write",
    resource: `${command.tenant}/cluster`,
    summary: command.payload.summary,
    outcome: "failure",
  },
});
