import { randomBytes } from "node:crypto";
import { encodeCommand } from "../../contracts/core/command-codec.ts";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { archiveFolder } from "../../contracts/retention/archived-version.ts";
import { type Command, COMMAND_FORMAT_VERSION } from "../../domain/command/command.ts";
import type { CommandResults } from "../../domain/command/command-result.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { Config, ConfigVersion } from "../../domain/config/config.ts";
import { findDueVersions } from "../../domain/retention/due-versions.ts";
import { sayVersions } from "../../domain/retention/removed-versions.ts";
import { encodeLogEntry } from "../state/log-entry.ts";
import type { CoreContext } from "./core-context.ts";
import { archiveVersion } from "./retention-archive.ts";
import { RetentionMetrics } from "./retention-metrics.ts";
import { requireSupported } from "./version-gate.ts";

/** Pause between two looks. */
export const RETENTION_TICK_MS = 5_000;
/** Configs that one look takes, ... */
export const RETENTION_CONFIGS_MAX = 200;
/** ... so many of them without letting other work run, ... */
const RETENTION_SLICE = 20;
/** ... and commands that it proposes (PRUNE_VERSIONS_MAX versions each); the next one goes on where it ended. */
export const RETENTION_COMMANDS_MAX = 4;
/** How long a stopping node waits for what is on its way. */
const CLOSE_GRACE_MS = 5_000;
/** Pause after a storage or log that was away; doubled with each failure up to the longest. */
const RETRY_MS = 30_000;
const RETRY_MS_MAX = 15 * 60_000;

export interface RetentionSettings {
  /** Milliseconds between two rounds over all configs; more than 0. */
  intervalMs: number;
}
export interface RetentionParts extends RetentionSettings {
  /** Where removed versions are archived. */
  storage: ObjectStorage;
  nowMs: () => number;
}

/**
 * Enforces the retention of configs (C10), on the leader: goes round all configs a few at a time, archives the versions that
 * are due, proves that they can be read back, and only then proposes their removal, which the state machine judges anew.
 * Whatever fails, the versions stay where they are and are tried again.
 */
export class RetentionService {
  readonly #core: CoreContext;
  readonly #parts: RetentionParts;
  readonly #metrics: RetentionMetrics;
  #timer: ReturnType<typeof setInterval> | null = null;
  #looking: Promise<void> | null = null;
  #isClosed = false;
  /** The key of the config that was looked at last; null: the round begins. */
  #cursor: string | null = null;
  #dueAtMs = 0;
  #failures = 0;

  constructor(core: CoreContext, parts: RetentionParts) {
    this.#core = core;
    this.#parts = parts;
    this.#metrics = new RetentionMetrics(core.metrics.registry);
  }

  start(): void {
    this.#timer = setInterval(() => void this.tick(), RETENTION_TICK_MS);
  }

  /**
   * Ends the looking after. What is on its way ends at its next step, and has CLOSE_GRACE_MS for that: a storage that is
   * silent must not keep a node from stopping. Later that step fails, which does no more harm than a crash there.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#looking === null) return;
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, CLOSE_GRACE_MS);
    await Promise.race([this.#looking, grace.promise]);
    clearTimeout(timer);
  }

  /** One look, if one is due. Never rejects. */
  async tick(): Promise<void> {
    if (this.#looking !== null || this.#isClosed) return;
    this.#looking = this.#look().finally(() => (this.#looking = null));
    await this.#looking;
  }

  async #look(): Promise<void> {
    if (!this.#leads()) {
      this.#cursor = null;
      this.#dueAtMs = 0;
      return;
    }
    const { nowMs, intervalMs } = this.#parts;
    if (nowMs() < this.#dueAtMs) return;
    try {
      const isRound = await this.#lookAtConfigs();
      this.#failures = 0;
      if (!isRound) return;
      this.#cursor = null;
      this.#dueAtMs = nowMs() + intervalMs;
      this.#metrics.wentRound(nowMs());
    } catch (error) {
      // The same config is tried again: what is away is away for all of them.
      this.#failures += 1;
      this.#dueAtMs = nowMs() + Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(this.#failures - 1, 10));
      const isUpgrade = error instanceof ConfluxError && error.code === "upgrade_in_progress";
      if (!isUpgrade) this.#metrics.failed();
      const msg = "the retention of versions could not be enforced";
      this.#core.logger({ level: isUpgrade ? "info" : "warn", msg, error: String(error) });
    }
  }

  /** Goes on from the cursor; true at the end of the round. */
  async #lookAtConfigs(): Promise<boolean> {
    let commands = 0;
    for (let looked = 0; looked < RETENTION_CONFIGS_MAX; looked += RETENTION_SLICE) {
      const after = this.#cursor;
      const rows = [
        ...this.#core.store.scan("c/", { limit: RETENTION_SLICE, ...(after === null ? {} : { after }) }),
      ];
      for (const { key, value } of rows) {
        for (;;) {
          if (commands === RETENTION_COMMANDS_MAX) return false;
          const outcome = await this.#enforce((value as Config).id, value as Config);
          if (outcome === "none") break;
          commands += 1;
          if (outcome === "stuck") break;
        }
        this.#cursor = key;
      }
      if (rows.length < RETENTION_SLICE) return true;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return false;
  }

  /**
   * Removes what is due of one config, as far as one command takes it. `none`: nothing was; `stuck`: what was due stays,
   * so asking again at once would not help.
   */
  async #enforce(id: string, seen: Config): Promise<"none" | "some" | "stuck"> {
    if (seen.retention === null) return "none";
    const config = this.#core.store.json(stateKey.config(id)) as Config | undefined;
    if (config === undefined) return "none";
    const { clock, store, log, peers } = this.#core;
    const due = findDueVersions(store, config, clock.stampMs(store.lastTimestampMs()));
    if (due.length === 0) return "none";
    for (const ability of ["prune_versions", "prune_spares_several"] as const)
      requireSupported(ability, () => log.status(), peers);
    try {
      const removed = await this.#prune(config, due, await this.#archive(config, due));
      return removed === 0 ? "stuck" : "some";
    } catch (error) {
      if (!isOfThisConfig(error)) throw error;
      this.#metrics.failed();
      this.#core.logger({
        level: "warn",
        msg: "versions of a config could not be removed, and stay",
        config_id: id,
        error: error.message,
      });
      return "stuck";
    }
  }

  async #archive(config: Config, due: readonly ConfigVersion[]): Promise<number> {
    const { clusterId, store } = this.#core;
    let bytes = 0;
    for (const version of due) {
      this.#requireOwn();
      const content = store.bytes(stateKey.blob(config.namespace.tenant, version.sha256));
      if (content === undefined) {
        // Wrapped anew, or removed by another leader: the next look sees it as it is.
        throw new ConfluxError("conflict", `version ${version.version_id} has changed meanwhile`);
      }
      const stored = await archiveVersion(this.#parts.storage, { clusterId, config, version, content });
      this.#metrics.archived(stored.bytes);
      bytes += stored.bytes;
    }
    return bytes;
  }

  /** Answers how many were removed. */
  async #prune(config: Config, due: readonly ConfigVersion[], archivedBytes: number): Promise<number> {
    this.#requireOwn();
    const { clock, store, log, clusterId, logger } = this.#core;
    const { tenant } = config.namespace;
    const traceId = randomBytes(16).toString("hex");
    const command: Command = {
      format: COMMAND_FORMAT_VERSION,
      kind: "prune_versions",
      tenant,
      actor: { type: "system", id: "core", name: "core" },
      ip: "",
      trace_id: traceId,
      idempotency: null,
      expected_revision: null,
      payload: {
        config_id: config.id,
        versions: due.map(({ version_id, sha256 }) => ({ version_id, sha256 })),
        archive: archiveFolder(clusterId, tenant, config.id),
        form: 2,
      },
    };
    const entry = encodeLogEntry(
      clock.stampMs(store.lastTimestampMs()),
      encodeCommand({ command, attachments: [] }),
    );
    const { result: outcome } = await log.propose(entry);
    if (!outcome.ok) throw new ConfluxError(outcome.code, outcome.detail);
    const { removed, kept } = outcome.result as CommandResults["prune_versions"];
    this.#metrics.removed(removed.length);
    logger({
      level: "info",
      msg: "versions removed by the retention",
      trace_id: traceId,
      config_id: config.id,
      config: fullName(config.namespace, config.name),
      versions: sayVersions(removed),
      kept: kept.length,
      archived_bytes: archivedBytes,
    });
    return removed.length;
  }

  /** Throws when this work is no longer this node's. */
  #requireOwn(): void {
    if (this.#isClosed) throw new ConfluxError("unavailable", "this node stops");
    if (!this.#leads()) throw new ConfluxError("unavailable", "this node no longer leads");
  }

  #leads(): boolean {
    return this.#core.log.status().role === "leader";
  }
}

/** A refusal that concerns this config alone; what a storage or log that is away says concerns them all. */
function isOfThisConfig(error: unknown): error is ConfluxError {
  return error instanceof ConfluxError && ["validation_failed", "conflict", "not_found"].includes(error.code);
}
