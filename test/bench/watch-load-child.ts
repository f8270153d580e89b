/** The load generator of `npm run bench -- watch`, a process of its own: watchers, and who publishes to them. */
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { testCommand } from "../../domain/command/testing-commands.ts";
import { EtcdWatchers } from "./etcd-watch-client.ts";
import type { Publish, WatchLoadMessage, WatchLoadPlan, WatchLoadResult } from "./watch-load-plan.ts";
import { WatchSocket, type WatchSocketEvents } from "./watch-socket.ts";

const KEY = Buffer.from("demo/bench/prod/watched.json");
/** A watcher that hears nothing for so long is a failure. */
const DELIVERY_MS_MAX = 60_000;
const CONNECT_MS_MAX = 120_000;
const CONNECT_AT_ONCE = 250;

const say = (message: WatchLoadMessage): boolean => process.send?.(message) ?? false;

/** Counts what watchers tell; one thing is waited for at a time. */
class Tally {
  #left = 0;
  #done: (() => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  readonly one = (): void => {
    this.#left -= 1;
    if (this.#left === 0) this.#done?.();
    else if (this.#left < 0) this.#failed?.(new Error("a watcher was told more than once"));
  };
  readonly fail = (error: Error): void => this.#failed?.(error);

  /** Resolves when `count` of them came. */
  async all(count: number, waitMs: number): Promise<void> {
    this.#left = count;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => this.fail(new Error(`${this.#left} of ${count} watchers are missing`)),
      waitMs,
    );
    this.#done = late.resolve;
    this.#failed = late.reject;
    await late.promise.finally(() => clearTimeout(timer));
  }
}

interface Watchers {
  /** Opens watchers `from` to `to`, the latter left out. */
  open(tally: { greeted: Tally; changed: Tally }, from: number, to: number): void;
  cut(): void;
}

/** What each watcher tells the tallies. */
function eventsOf({ greeted, changed }: { greeted: Tally; changed: Tally }): WatchSocketEvents {
  const failed = (error: Error): void => {
    greeted.fail(error);
    changed.fail(error);
  };
  return { greeted: greeted.one, changed: changed.one, failed };
}

function webSockets(plan: WatchLoadPlan): Watchers {
  const sockets: WatchSocket[] = [];
  return {
    open: (tally, from, to) => {
      const events = eventsOf(tally);
      const { ports, path, headers } = plan;
      for (let i = from; i < to; i += 1) {
        sockets[i] = new WatchSocket({ port: ports[i % ports.length]!, path, headers }, events);
      }
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function etcdWatches(etcd: EtcdWatchers): Watchers {
  return {
    open: (tally, from, to) => {
      const events = eventsOf(tally);
      for (let i = from; i < to; i += 1) etcd.open(i, KEY, events);
    },
    cut: () => etcd.close(),
  };
}

/** What publishes change number `i`. */
function publisher(publish: Publish, etcd: EtcdWatchers | null): (i: number) => Promise<unknown> {
  if (publish.via === "http") {
    const { ports, body } = publish;
    return () =>
      Promise.all(
        ports.map(async (port) => {
          const answer = await fetch(`http://127.0.0.1:${port}/publish`, { method: "POST", body });
          if (!answer.ok) throw new Error(`the bare object answered ${answer.status}`);
        }),
      );
  }
  if (publish.via === "etcd") {
    return async (i) => etcd?.put(KEY, Buffer.from(String(i)));
  }
  const core = new CoreClient({ urls: [...publish.urls], serviceKey: publish.serviceKey, role: "admin" });
  return (i) => {
    const rules = [{ labels: {}, version_id: 1 + (i % 2), priority: 0 }];
    return core.propose<"put_releases">({
      command: testCommand("put_releases", { config_id: publish.configId, releases: rules }),
      attachments: [],
    });
  };
}

async function carryOut(plan: WatchLoadPlan): Promise<WatchLoadResult> {
  const etcd = plan.publish.via === "etcd" ? new EtcdWatchers(plan.publish.port) : null;
  const watchers = etcd === null ? webSockets(plan) : etcdWatches(etcd);
  const publish = publisher(plan.publish, etcd);
  const tally = { greeted: new Tally(), changed: new Tally() };
  await connectInTurns(plan, watchers, tally);
  say({ type: "connected" });
  await new Promise((resolve) => {
    process.once("message", resolve);
  });
  const lastDeliveryMs: number[] = [];
  for (let i = 0; i < plan.warmups + plan.changes; i += 1) {
    const all = tally.changed.all(plan.watchers, DELIVERY_MS_MAX);
    const startMs = performance.now();
    const [, endMs] = await Promise.all([publish(i + 1), all.then(() => performance.now())]);
    if (i >= plan.warmups) lastDeliveryMs.push(endMs - startMs);
  }
  say({ type: "told" });
  return { lastDeliveryMs, reconnectMs: plan.reconnects ? await reconnect(plan, watchers, tally) : null };
}

/** So many at a time: how watchers come to a region in the first place is not what is measured. */
async function connectInTurns(
  plan: WatchLoadPlan,
  watchers: Watchers,
  tally: { greeted: Tally; changed: Tally },
): Promise<void> {
  for (let from = 0; from < plan.watchers; from += CONNECT_AT_ONCE) {
    const to = Math.min(from + CONNECT_AT_ONCE, plan.watchers);
    const all = tally.greeted.all(to - from, CONNECT_MS_MAX);
    watchers.open(tally, from, to);
    await all;
  }
}

/** Cuts every connection, opens all at once, and answers how long it took until all were greeted. */
async function reconnect(
  plan: WatchLoadPlan,
  watchers: Watchers,
  tally: { greeted: Tally; changed: Tally },
): Promise<number> {
  watchers.cut();
  const all = tally.greeted.all(plan.watchers, CONNECT_MS_MAX);
  const startMs = performance.now();
  watchers.open(tally, 0, plan.watchers);
  await all;
  return performance.now() - startMs;
}

process.once("message", (plan: WatchLoadPlan) => {
  carryOut(plan).then(
    (result) => {
      say({ type: "result", result });
      process.exit(0);
    },
    (error: unknown) => {
      say({ type: "failed", reason: String(error) });
      process.exit(1);
    },
  );
});
process.once("disconnect", () => process.exit(1));
