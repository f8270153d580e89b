import type { Mutant } from "./mutant.ts";
import { CORE_MUTANTS } from "./mutants-core.ts";
import { DISK_MUTANTS } from "./mutants-disk.ts";
import {
  ELECTION_MUTANTS,
  MEMBERSHIP_MUTANTS,
  READ_MUTANTS,
  REPLICATION_MUTANTS,
  STATE_MUTANTS,
} from "./mutants-node.ts";

/** All deliberate bugs. */
export const MUTANTS: readonly Mutant[] = [
  ...ELECTION_MUTANTS,
  ...REPLICATION_MUTANTS,
  ...READ_MUTANTS,
  ...MEMBERSHIP_MUTANTS,
  ...STATE_MUTANTS,
  ...DISK_MUTANTS,
  ...CORE_MUTANTS,
];
