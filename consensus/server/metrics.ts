import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";
import type { ReplicatedLogStatus } from "../replicated-log.ts";
import type { StateStore } from "../state/state-store.ts";
import { RequestMeter } from "./request-meter.ts";

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25];

/** The node's metrics (M1), one registry a node, so that several nodes may share a process in tests. */
export class CoreMetrics {
  readonly registry = new Registry();
  readonly requests: RequestMeter;
  readonly #applySeconds: Histogram;
  readonly #configs: Gauge<"tenant" | "app" | "env">;
  readonly #updates: Counter<"tenant" | "app" | "result">;
  readonly #violations: Counter;

  constructor(status: () => ReplicatedLogStatus) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.requests = new RequestMeter(this.registry, SECONDS);
    this.#applySeconds = new Histogram({
      name: "state_machine_apply_duration_seconds",
      help: "Time to apply a batch of log entries.",
      buckets: SECONDS,
      registers,
    });
    this.#configs = new Gauge({
      name: "configs_total",
      help: "Configs stored.",
      labelNames: ["tenant", "app", "env"],
      registers,
    });
    this.#updates = new Counter({
      name: "config_updates_total",
      help: "Writes of configs by outcome.",
      labelNames: ["tenant", "app", "result"],
      registers,
    });
    this.#violations = new Counter({
      name: "state_invariant_violations_total",
      help: "Invariants of the state found broken; the node stops at the first.",
      registers,
    });
    this.#gaugeOf("raft_is_leader", "1 when this node leads.", () => (status().role === "leader" ? 1 : 0));
    this.#gaugeOf("raft_current_term", "The current term.", () => status().term);
    this.#gaugeOf("raft_last_applied_log_index", "The last index applied here.", () => status().appliedIndex);
    this.#gaugeOf("raft_peers_total", "Other members of the cluster.", () =>
      Math.max(0, status().members.length - 1),
    );
  }

  /** Counts the configs that the state holds at start; `applied` keeps the count from then on. */
  countConfigs(state: Pick<StateStore, "configCounts">): void {
    this.#configs.reset();
    for (const { namespace, count } of state.configCounts()) this.#configs.set({ ...namespace }, count);
  }

  /** `oldestDueS` is asked whenever the metrics are. */
  watchPublishes(oldestDueS: () => number): void {
    const help = "For how long the publish plan that is due longest has been due; 0 when none is.";
    this.#gaugeOf("publish_oldest_due_seconds", help, oldestDueS);
  }

  applied(entries: readonly FeedEntry[], durationMs: number): void {
    this.#applySeconds.observe(durationMs / 1000);
    for (const { kind, events } of entries) {
      for (const event of events) {
        if (event.type === "config_deleted") this.#configs.dec({ ...event.namespace });
        else if (kind === "create_config" && event.type === "config_changed") {
          this.#configs.inc({ ...event.namespace });
        }
      }
    }
  }

  stateViolations(count: number): void {
    this.#violations.inc(count);
  }

  configUpdate(tenant: string, app: string, result: string): void {
    this.#updates.inc({ tenant, app, result });
  }

  #gaugeOf(name: string, help: string, value: () => number): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.registry],
      collect: () => {
        gauge.set(value());
      },
    });
  }
}
