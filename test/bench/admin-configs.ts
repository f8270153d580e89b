import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { BUNDLE_CONFIGS_MAX } from "../../domain/limits.ts";
import { testBundle } from "../../domain/bundle/testing-bundles.ts";
import { awaitServed } from "../../dev/await-served.ts";
import { admin, type Answer } from "../testing/stack-client.ts";
import { coreServiceKey } from "../testing/stack-keys.ts";
import type { Stack } from "../testing/stack.ts";
import { type AdminPlan, askAtOnce, type Ask, requestFigures } from "./admin-load.ts";
import type { Figure } from "./figures.ts";

const PER_APP = 100;
/** Of the bundle that is applied again and again. */
const BUNDLE_CONFIGS = 500;
const FILLING = "x".repeat(500);

interface Case {
  name: string;
  clients: number;
  requests: number;
  ask: Ask;
  settle?: (answer: Answer) => Promise<void>;
}

/** The work on configs as the tenant's grow: what is there is kept from size to size, and only what is missing is made. */
export class ConfigCases {
  readonly #stack: Stack;
  readonly #plan: AdminPlan;
  readonly #clients: number;
  readonly #core: CoreClient;
  readonly #ids: string[] = [];

  constructor(stack: Stack, plan: AdminPlan, clients: number) {
    this.#stack = stack;
    this.#plan = plan;
    this.#clients = clients;
    this.#core = new CoreClient({
      urls: stack.dev.core_urls,
      serviceKey: coreServiceKey(stack),
      role: "admin",
    });
  }

  async measure(): Promise<Figure[]> {
    const figures: Figure[] = [];
    // Made before, so that all that is measured changes it.
    await askAtOnce({ clients: 1, requests: 1, ask: this.#applyBundle("first"), settle: this.#served });
    for (const size of this.#plan.sizes) {
      await this.#fill(size);
      for (const each of this.#cases(size)) {
        const runs = [];
        for (let run = 0; run < this.#plan.runs; run += 1) runs.push(await askAtOnce(each));
        figures.push(...requestFigures(`${each.name} c=${each.clients}, ${size} configs`, runs));
      }
    }
    return figures;
  }

  /**
   * By bundles straight into the log, as the admin API would propose them: one by one through it, 100,000 configs would take
   * half an hour. They have no rules, so that the edge is not busy with them; what is asked for below gives itself some.
   */
  async #fill(size: number): Promise<void> {
    const startMs = performance.now();
    const bundle = Math.min(BUNDLE_CONFIGS_MAX, size);
    for (let first = this.#ids.length; first < size; first += bundle) {
      const numbers = Array.from({ length: Math.min(bundle, size - first) }, (_, i) => first + i);
      const { command, attachments } = testBundle(
        `fill-${first}`,
        numbers.map((number) => ({
          name: `config-${number}.json`,
          app: appOf(number),
          format: "json" as const,
          content: `{"number":${number}}`,
        })),
      );
      await this.#core.propose({ command, attachments });
      for (const app of new Set(numbers.map(appOf))) {
        const { items } = await this.#core.listConfigs({ tenant: "demo", app, limit: PER_APP });
        this.#ids.push(...items.map(({ id }) => id));
      }
    }
    console.error(`${size} configs, after ${((performance.now() - startMs) / 1_000).toFixed(1)} s`);
  }

  #cases(size: number): Case[] {
    // No two at once of one config: a plain walk through all of them, far apart, and the same one in each case.
    const config = (i: number): string => `/mgt/configs/${this.#ids[(i * 7_919) % this.#ids.length] ?? ""}`;
    const stack = this.#stack;
    const asks: Record<string, Ask> = {
      "create version": (i) => admin(stack, "POST", `${config(i)}/versions`, { content: `{"version":${i}}` }),
      "put releases": (i) =>
        admin(stack, "PUT", `${config(i)}/releases`, [
          { labels: {}, version_id: 1 },
          { labels: { canary: `c${i}` }, version_id: 1, priority: 1 },
        ]),
      list: (i) =>
        admin(
          stack,
          "GET",
          `/mgt/configs?tenant=demo&app=${appOf((i * PER_APP) % this.#ids.length)}&limit=50`,
        ),
      resolve: (i) => admin(stack, "GET", `${config(i)}/resolve?label.canary=none`),
    };
    const { requests, bundles } = this.#plan;
    return [
      ...Object.entries(asks).map(([name, ask]) => ({ name, clients: this.#clients, requests, ask })),
      {
        name: `apply ${BUNDLE_CONFIGS}`,
        clients: 1,
        requests: bundles,
        ask: this.#applyBundle(String(size)),
        settle: this.#served,
      },
    ];
  }

  /**
   * Until the region serves the bundle: its replica runs in the process of the admin API here, which has one thread, and
   * would be measured with the next one.
   */
  readonly #served = ({ json }: Answer): Promise<void> =>
    awaitServed({
      edgeUrl: this.#stack.dev.edge_url,
      token: this.#stack.dev.client_token,
      config: `demo/bundle/prod/c${BUNDLE_CONFIGS - 1}.json`,
      index: String(json["index"]),
    });

  /** Each time new contents for all of them, which everyone gets. */
  #applyBundle(salt: string): Ask {
    let turn = 0;
    return () => {
      turn += 1;
      const configs = Array.from({ length: BUNDLE_CONFIGS }, (_, i) => ({
        name: `c${i}.json`,
        format: "json",
        content: JSON.stringify({ i, turn, salt, filling: FILLING }),
        releases: [{ version: "bundle" }],
      }));
      const bundle = { id: "bench", tenant: "demo", app: "bundle", env: "prod" };
      return admin(this.#stack, "POST", "/mgt/apply", { bundle, configs });
    };
  }
}

const appOf = (number: number): string => `app-${Math.floor(number / PER_APP)}`;
