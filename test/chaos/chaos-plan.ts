import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";

/** One client: who it says it is, where it is, what it reads and how. */
export interface ClientPlan {
  number: number;
  region: string;
  labels: Record<string, string>;
  /** Full names. */
  configs: string[];
  /** How it watches; null: it polls. */
  watches: WatchKind | null;
}

export type WatchKind = "socket" | "stream";

/** What a load process is told first. */
export interface LoadPlan {
  edgePort: number;
  token: string;
  clients: ClientPlan[];
  /** The mean time between two polls of a client, ms. */
  pollMs: number;
  seed: number;
}

/** The rules of a config from `index` on. */
export interface ReleaseState {
  index: number;
  rules: ReleaseRule[];
}

/** Everything that was acknowledged in an epoch: the rules in the order of the log, and the SHA-256 of each version. */
export interface EpochHistory {
  states: ReleaseState[];
  hashes: Record<number, string>;
}

/** Of a config, by epoch: a restore begins a new one with what the backup had. */
export type ConfigHistory = Record<number, EpochHistory>;

/** By full name. */
export type ChaosHistory = Record<string, ConfigHistory>;

export type LoadCommand =
  | { type: "start"; plan: LoadPlan }
  /** All clients cut their sockets at once, and come back after half of `awayMs` to all of it, or as their backoff says. */
  | { type: "cut"; awayMs: number }
  /** A backup is about to be restored: tokens end. */
  | { type: "restoring" }
  /** It is restored: clients have this token from now on. */
  | { type: "token"; token: string }
  /** For so long, clients give up every other request half way. */
  | { type: "cancel"; forMs: number }
  | { type: "tally" }
  /** Which clients do not hold what the newest rules give them? */
  | { type: "behind"; history: ChaosHistory }
  /** Was every answer of the whole run one that the history allows? */
  | { type: "judge"; history: ChaosHistory };

export interface LoadAnswer {
  /** Sums, except those that begin with `longest`, which are maxima. */
  counts: Record<string, number>;
  /** What is wrong, in words, with the client's last answers. */
  violations: string[];
  /** Clients that are behind, in words. */
  behind: string[];
}

/** What is in force now, or was last. */
export function newestOf(history: ConfigHistory | undefined): EpochHistory | undefined {
  const epochs = Object.keys(history ?? {}).map(Number);
  return history?.[Math.max(...epochs)];
}
