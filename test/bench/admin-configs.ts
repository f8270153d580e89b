import { admin } from "../testing/stack-client.ts";
import type { Stack } from "../testing/stack.ts";
import { type AdminPlan, askAtOnce, type Ask, requestFigures } from "./admin-load.ts";
import type { Figure } from "./figures.ts";

const FILLING = 8;
const BUSY = 503;
const PER_APP = 100;

/** The work on configs as the tenant's grow: what is there is kept from size to size, and only what is missing is made. */
export class ConfigCases {
  readonly #stack: Stack;
  readonly #plan: AdminPlan;
  readonly #clients: number;
  readonly #ids: string[] = [];

  constructor(stack: Stack, plan: AdminPlan, clients: number) {
    this.#stack = stack;
    this.#plan = plan;
    this.#clients = clients;
  }

  async measure(): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const size of this.#plan.sizes) {
      await this.#fill(size);
      for (const [name, ask] of Object.entries(this.#cases())) {
        const runs = [];
        for (let run = 0; run < this.#plan.runs; run += 1) {
          runs.push(await askAtOnce({ clients: this.#clients, requests: this.#plan.requests, ask }));
        }
        figures.push(...requestFigures(`${name} c=${this.#clients}, ${size} configs`, runs));
      }
    }
    return figures;
  }

  async #fill(size: number): Promise<void> {
    const missing = size - this.#ids.length;
    const first = this.#ids.length;
    const ask: Ask = async (i) => {
      const number = first + i;
      const config = {
        tenant: "demo",
        app: `app-${Math.floor(number / PER_APP)}`,
        env: "prod",
        name: `config-${number}.json`,
        format: "json",
        content: `{"number":${number}}`,
        release: true,
      };
      const headers = { "x-idempotency-key": `fill-${number}` };
      let answer = await admin(this.#stack, "POST", "/mgt/configs", config, headers);
      // Filling is no measurement: what the database had no time for is asked again.
      while (answer.status === BUSY)
        answer = await admin(this.#stack, "POST", "/mgt/configs", config, headers);
      this.#ids.push(String(answer.json["id"]));
      return answer;
    };
    await askAtOnce({ clients: FILLING, requests: missing, ask });
  }

  #cases(): Record<string, Ask> {
    // No two at once of one config: a plain walk through all of them, far apart.
    const config = (i: number): string => `/mgt/configs/${this.#ids[(i * 7_919) % this.#ids.length] ?? ""}`;
    const stack = this.#stack;
    return {
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
          `/mgt/configs?tenant=demo&app=app-${i % Math.ceil(this.#ids.length / PER_APP)}&limit=50`,
        ),
      resolve: (i) => admin(stack, "GET", `${config(i)}/resolve?label.canary=none`),
    };
  }
}
