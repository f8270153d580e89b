import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const PROTOCOL = "http";

/** What is known of one method on one route. */
interface Answered {
  method: string;
  path: string;
  observe: (seconds: number) => void;
  byStatus: Map<number, number>;
}

/**
 * Counts and times the requests of a node's HTTP server. What is counted is summed here and handed to the registry when it is
 * read: at every request finding a counter by its labels would cost more than counting. Times go to it at once.
 */
export class RequestMeter {
  readonly #seconds: Histogram<"protocol" | "method" | "path">;
  readonly #answered = new Map<string, Map<string, Answered>>();
  #inFlight = 0;

  /** `buckets`: upper bounds in seconds. */
  constructor(registry: Registry, buckets: number[]) {
    const registers = [registry];
    const requests = new Counter({
      name: "http_requests_total",
      help: "Requests answered.",
      labelNames: ["protocol", "method", "path", "status"],
      registers,
      collect: () => {
        requests.reset();
        for (const methods of this.#answered.values()) {
          for (const { method, path, byStatus } of methods.values()) {
            for (const [status, count] of byStatus)
              requests.inc({ protocol: PROTOCOL, method, path, status: String(status) }, count);
          }
        }
      },
    });
    this.#seconds = new Histogram({
      name: "http_requests_duration_seconds",
      help: "From the request's head to the answer's end, long polls included.",
      labelNames: ["protocol", "method", "path"],
      buckets,
      registers,
    });
    const inFlight = new Gauge({
      name: "http_requests_in_flight",
      help: "Requests being answered.",
      labelNames: ["protocol"],
      registers,
      collect: () => {
        inFlight.set({ protocol: PROTOCOL }, this.#inFlight);
      },
    });
  }

  /** A request came; answers when, for `ended`. */
  began(): number {
    this.#inFlight += 1;
    return performance.now();
  }

  /** `path` is the route's; `beganMs` what `began` said. */
  ended(method: string, path: string, status: number, beganMs: number): void {
    this.#inFlight -= 1;
    const answered = this.#answered.get(path)?.get(method) ?? this.#first(method, path);
    answered.byStatus.set(status, (answered.byStatus.get(status) ?? 0) + 1);
    answered.observe((performance.now() - beganMs) / 1000);
  }

  #first(method: string, path: string): Answered {
    const child = this.#seconds.labels(PROTOCOL, method, path);
    const answered: Answered = {
      method,
      path,
      observe: (seconds) => child.observe(seconds),
      byStatus: new Map(),
    };
    const methods = this.#answered.get(path) ?? new Map<string, Answered>();
    this.#answered.set(path, methods.set(method, answered));
    return answered;
  }
}
