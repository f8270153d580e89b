import type { WatchHubRpc } from "../../contracts/delivery/replica-rpc.ts";
import type { HubOutbox } from "./hub-outbox.ts";
import { HUB_BACKOFF_MS, HUB_PUBLISH_TIMEOUT_MS } from "./limits.ts";
import { logEvent } from "./log-event.ts";

/** Hands batches to hubs, all hubs at once and each in order; one that fails or dawdles is left alone for a while. */
export class HubTeller {
  readonly #region: string;
  readonly #outbox: HubOutbox;
  readonly #hub: (name: string) => Pick<WatchHubRpc, "publish">;
  readonly #retryAtMs = new Map<string, number>();

  constructor(region: string, outbox: HubOutbox, hub: (name: string) => Pick<WatchHubRpc, "publish">) {
    this.#region = region;
    this.#outbox = outbox;
    this.#hub = hub;
  }

  /** Tells every hub that is behind. Never rejects: what a hub did not take stays queued. True when all have all. */
  async tellAll(nowMs: number): Promise<boolean> {
    const behind = this.#outbox.behind();
    await Promise.all(
      behind
        .filter((name) => (this.#retryAtMs.get(name) ?? 0) <= nowMs)
        .map((name) => this.#tell(name, nowMs)),
    );
    if (behind.length > 0) this.#outbox.prune(nowMs);
    return this.#outbox.behind().length === 0;
  }

  async #tell(name: string, nowMs: number): Promise<void> {
    try {
      for (let due = this.#outbox.due(name); due !== null; due = this.#outbox.due(name)) {
        await withTimeout(this.#hub(name).publish(due.batch), HUB_PUBLISH_TIMEOUT_MS);
        this.#outbox.acknowledge(name, due.upTo);
      }
      this.#retryAtMs.delete(name);
    } catch (error) {
      this.#retryAtMs.set(name, nowMs + HUB_BACKOFF_MS);
      logEvent({ level: "warn", event: "hub_not_told", region: this.#region, hub: name }, error);
    }
  }
}

async function withTimeout(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
