import { Counter, Gauge, type Registry } from "prom-client";

/** What is alerted on: that the retention gets round, and that nothing stands in its way. */
export class RetentionMetrics {
  readonly #removed: Counter;
  readonly #archivedBytes: Counter;
  readonly #failures: Counter;
  readonly #lastRound: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#removed = new Counter({
      name: "conflux_retention_removed_versions_total",
      help: "Versions that this node had removed by the retention of their configs.",
      registers,
    });
    this.#archivedBytes = new Counter({
      name: "conflux_retention_archived_bytes_total",
      help: "Bytes that this node wrote into the archive of removed versions.",
      registers,
    });
    this.#failures = new Counter({
      name: "conflux_retention_failures_total",
      help: "Times that versions could not be archived or removed; they stay until they can.",
      registers,
    });
    this.#lastRound = new Gauge({
      name: "conflux_retention_last_round_timestamp_seconds",
      help: "When this node had last looked at every config.",
      registers,
    });
  }

  archived(bytes: number): void {
    this.#archivedBytes.inc(bytes);
  }
  removed(versions: number): void {
    this.#removed.inc(versions);
  }
  failed(): void {
    this.#failures.inc();
  }
  wentRound(nowMs: number): void {
    this.#lastRound.set(nowMs / 1000);
  }
}
