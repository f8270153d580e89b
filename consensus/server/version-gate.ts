import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { BASE_COMMAND_KINDS } from "../../domain/command/command-kinds.ts";
import type { ReplicatedLogStatus } from "../replicated-log.ts";
import type { PeerKnowledge } from "./peer-knowledge.ts";

const RETRY_AFTER_S = 5;
const BASE: ReadonlySet<string> = new Set(BASE_COMMAND_KINDS);

/**
 * Refuses a kind of command, or a feature of one (`COMMAND_FEATURES`), that some voter is not known to apply: in the log it
 * would stop that voter for good, or make it apply something else. The kinds of the first release every build applies. Asked of the leader; any other node proposes nothing anyway. A voter that was
 * never heard of is not known to apply anything newer; one that is away counts as what it last said.
 * Throws `upgrade_in_progress`.
 */
export function requireSupported(
  ability: string,
  status: () => ReplicatedLogStatus,
  knowledge: Pick<PeerKnowledge, "abilitiesOf">,
): void {
  if (BASE.has(ability)) return;
  const { nodeId: self, role, members } = status();
  if (role !== "leader") return;
  const without = members.filter(
    ({ nodeId, voter }) =>
      voter && nodeId !== self && knowledge.abilitiesOf(nodeId)?.commandKinds.includes(ability) !== true,
  );
  if (without.length === 0) return;
  const names = without.map(({ nodeId }) => {
    const build = knowledge.abilitiesOf(nodeId)?.build;
    return build === undefined ? `node ${nodeId} (not heard of yet)` : `node ${nodeId} (build ${build})`;
  });
  throw new ConfluxError(
    "upgrade_in_progress",
    `${ability} is not taken yet: ${names.join(", ")} is not known to understand it`,
    { retryAfterS: RETRY_AFTER_S },
  );
}
