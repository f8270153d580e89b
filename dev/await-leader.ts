import type { CorePort } from "../contracts/core/core-port.ts";
import type { StatusAnswer } from "../contracts/core/core-api.ts";

const ATTEMPTS_MAX = 120;
const RETRY_PAUSE_MS = 250;

/**
 * Resolves with the core's status when its nodes know their leader: a stack that says it is ready then takes writes. Throws
 * when there is none within half a minute.
 */
export async function awaitLeader(
  core: Pick<CorePort, "status">,
  pause: (ms: number) => Promise<unknown>,
): Promise<StatusAnswer> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const status = await core.status();
    if (status.leader_id !== null) return status;
    await pause(RETRY_PAUSE_MS);
  }
  throw new Error("the core's nodes run but have no leader; their logs say why");
}
