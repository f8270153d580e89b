import { COMMAND_KINDS } from "../../domain/command/apply-command.ts";
import { COMMAND_FEATURES } from "../../domain/command/command-kinds.ts";
import packageJson from "../../package.json" with { type: "json" };
import { STATE_FORMATS } from "../state/state-schema.ts";
import type { PeerAbilities } from "./peer-knowledge.ts";

/** Format of the first release's snapshots, which every build reads. */
const BASE_SNAPSHOT_FORMAT = 1;

/** What this build understands, as it tells the other members. */
export const OWN_ABILITIES: PeerAbilities = {
  build: packageJson.version,
  commandKinds: [...COMMAND_KINDS, ...COMMAND_FEATURES],
  snapshotFormats: STATE_FORMATS,
};

/** Whether a member is known to read snapshots of a format; one that was never heard of reads the first one alone. */
export function readsSnapshots(member: PeerAbilities | null, format: number): boolean {
  return member === null ? format === BASE_SNAPSHOT_FORMAT : member.snapshotFormats.includes(format);
}
