/** What is looked at after each step: lists, versions, plans, the simulator, and what the edge serves. */
import { type Json, shownConfig, shownPlan } from "./model-expect.ts";
import { serve } from "./model-serve.ts";
import { type ModelConfig, type ModelState, versionStatus } from "./model-state.ts";
import { type Slot, SLOTS, type Step, type Turn } from "./model-steps.ts";
import { CONTENTS, MEDIA_TYPES } from "./model-values.ts";
import { Mismatch, type ModelAnswer, type ModelWorld } from "./model-world.ts";

const BUSY = 503;
/** An edge waits for an index for a second; on a busy machine a region takes longer. */
const TRIES_MAX = 30;

export class ModelChecks {
  readonly #world: ModelWorld;
  readonly #state: ModelState;
  /** Of the newest write. */
  #index: string | null = null;
  #etags = new Map<string, string>();

  constructor(world: ModelWorld, state: ModelState) {
    this.#world = world;
    this.#state = state;
  }

  /** Remembers which ETags a step must change or leave. */
  before(): void {
    this.#etags = new Map([...this.#state.configs.values()].map(({ id, etag }) => [id, etag]));
  }

  async after({ step, clients }: Turn): Promise<void> {
    await this.#list();
    const touched = slotsOf(step);
    for (const slot of SLOTS) {
      const config = this.#state.configs.get(slot);
      const isTouched = touched.includes(slot);
      if (isTouched && config !== undefined) await this.#versionsAndPlans(config);
      for (const labels of isTouched ? clients : clients.slice(0, 1)) {
        for (const region of this.#world.regions.keys()) await this.#serves(slot, config, labels, region);
      }
      const [labels] = clients;
      if (isTouched && config !== undefined && labels !== undefined) await this.#resolves(config, labels);
    }
  }

  /** Takes the index that a write has answered: later than all before. */
  moved(index: unknown): void {
    if (typeof index !== "string") throw new Mismatch(`index is ${JSON.stringify(index)}`);
    const at = (text: string): number => Number(text.split(".").at(-2));
    if (this.#index !== null && !(at(index) > at(this.#index))) {
      throw new Mismatch(`index ${index} is not after ${this.#index}`);
    }
    this.#index = index;
  }

  /** That `actual` has all of `wanted`. Rules must be as they are, with nothing besides. */
  has(actual: unknown, wanted: unknown, where: string): void {
    if (Array.isArray(wanted)) {
      const list = Array.isArray(actual) ? actual : [];
      if (!Array.isArray(actual) || list.length !== wanted.length) this.#differ(actual, wanted, where);
      for (const [i, part] of wanted.entries()) this.has(list[i], part, `${where}/${i}`);
    } else if (typeof wanted === "object" && wanted !== null) {
      if (typeof actual !== "object" || actual === null) return this.#differ(actual, wanted, where);
      if (/\/releases\/\d+$/.test(where)) return this.same(actual, wanted, where);
      for (const [name, part] of Object.entries(wanted)) {
        this.has((actual as Json)[name], part, `${where}/${name}`);
      }
    } else if (actual !== wanted) this.#differ(actual, wanted, where);
  }

  same(actual: unknown, wanted: unknown, where: string): void {
    if (sorted(actual) !== sorted(wanted)) this.#differ(actual, wanted, where);
  }

  #differ(actual: unknown, wanted: unknown, where: string): void {
    throw new Mismatch(`${where}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(actual)}`);
  }

  async #get(path: string): Promise<Json> {
    const answer = await this.#world.send({ method: "GET", path });
    if (answer.status !== 200) throw new Mismatch(`GET ${path}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text) as Json;
  }

  /** Every config that is there and no other, as the model has it. Tells the model the ETags that no answer told. */
  async #list(): Promise<void> {
    const { tenant, app, env, configs } = this.#state;
    const { items } = await this.#get(`/mgt/configs?tenant=${tenant}&app=${app}&env=${env}`);
    const listed = items as Json[];
    const wanted = SLOTS.filter((slot) => configs.has(slot));
    this.same(
      listed.map(({ name }) => name),
      wanted,
      "the names of the list",
    );
    for (const item of listed) {
      const slot = item["name"] as Slot;
      const config = configs.get(slot);
      if (config === undefined) continue;
      if (config.etag === "") {
        config.etag = String(item["etag"]);
        if (config.etag === this.#etags.get(config.id)) {
          throw new Mismatch(`${slot} has changed, but not its ETag`);
        }
      }
      this.has(item, shownConfig(this.#state, slot, config), `${slot} in the list`);
    }
  }

  async #versionsAndPlans(config: ModelConfig): Promise<void> {
    const path = `/mgt/configs/${config.id}`;
    const versions = await this.#get(`${path}/versions?limit=200`);
    const listed = (versions["items"] as Json[]).toSorted(
      (a, b) => Number(a["version_id"]) - Number(b["version_id"]),
    );
    const wanted = config.versions.map(({ content, format }, i) => ({
      version_id: i + 1,
      format,
      content_hash: `sha256:${this.#state.hashes[content] ?? ""}`,
      status: versionStatus(config, i + 1),
    }));
    this.has(listed, wanted, "versions");
    const plans = (await this.#get(`${path}/publishes?limit=200`))["items"] as Json[];
    const newestFirst = config.plans.toReversed();
    for (const [i, plan] of newestFirst.entries())
      if (plan.etag === "") plan.etag = String(plans[i]?.["etag"]);
    this.has(
      plans,
      newestFirst.map((plan) => ({ ...shownPlan(this.#state, config, plan), etag: plan.etag })),
      "publishes",
    );
  }

  async #resolves(config: ModelConfig, labels: Record<string, string>): Promise<void> {
    for (const [region, name] of this.#world.regions.entries()) {
      const query = new URLSearchParams({ "edge.region": name });
      for (const [label, value] of Object.entries(labels)) query.set(`label.${label}`, value);
      const answer = await this.#get(`/mgt/configs/${config.id}/resolve?${query.toString()}`);
      const wanted = serve(config, { labels, region });
      this.has(
        answer,
        {
          version_id: wanted?.version ?? null,
          rule: wanted && { version_id: wanted.version, position: wanted.position },
        },
        `resolve of ${JSON.stringify(labels)} in ${name}`,
      );
    }
  }

  async #serves(
    slot: Slot,
    config: ModelConfig | undefined,
    labels: Record<string, string>,
    region: number,
  ): Promise<void> {
    const { tenant, app, env } = this.#state;
    const name = `${tenant}/${app}/${env}/${slot}`;
    const there = this.#world.regions[region] ?? "";
    const answer = await this.#fetch({ config: name, region: there, labels, minIndex: this.#index });
    const served = config === undefined ? null : serve(config, { labels, region });
    const version = config?.versions[(served?.version ?? 0) - 1];
    const where = `${slot} for ${JSON.stringify(labels)} in ${there}`;
    if (served === null || version === undefined) {
      if (answer.status === 404) return;
      throw new Mismatch(`${where}: expected 404, got ${answer.status} ${answer.text.slice(0, 100)}`);
    }
    this.same(
      {
        status: answer.status,
        version: answer.header("x-config-version"),
        hash: answer.header("x-config-hash"),
        type: answer.header("content-type"),
        body: answer.text,
      },
      {
        status: 200,
        version: String(served.version),
        hash: `sha256:${this.#state.hashes[version.content] ?? ""}`,
        type: MEDIA_TYPES[version.format],
        body: CONTENTS[version.content]?.text,
      },
      where,
    );
  }

  async #fetch(input: Parameters<ModelWorld["fetch"]>[0]): Promise<ModelAnswer> {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#world.fetch(input);
      if (answer.status !== BUSY || tries === TRIES_MAX) return answer;
    }
  }
}

function slotsOf(step: Step): readonly Slot[] {
  return step.do === "batch" ? step.items.map(({ slot }) => slot) : [step.slot];
}

/** As text, with names in one order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
