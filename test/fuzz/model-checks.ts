/** What is looked at after each step: lists, versions, plans, the simulator, and what the edge serves. */
import { changeAt, shownChange, shownView } from "./model-changes.ts";
import { contentsOfExport, entriesOf } from "./model-exports.ts";
import { type Json, shownConfig, shownPlan } from "./model-shown.ts";
import { serve } from "./model-serve.ts";
import { envOf, type ModelConfig, type ModelState, versionStatus } from "./model-state.ts";
import { type Slot, SLOTS, type Step, type Turn } from "./model-steps.ts";
import { CONTENTS, hashOf, MEDIA_TYPES } from "./model-values.ts";
import { Mismatch, type ModelAnswer, type ModelWorld } from "./model-world.ts";

const ENVELOPE_TYPE = "application/vnd.conflux.envelope+json";
const BUSY = 503;
/** An edge waits for an index for a second; on a busy machine a region takes longer. */
const TRIES_MAX = 30;

export class ModelChecks {
  readonly #world: ModelWorld;
  readonly #state: ModelState;
  /** Of the newest write. */
  #index: string | null = null;
  #etags = new Map<string, string>();
  #slots = new Map<Slot, string>();
  /** What a step is not about is asked for in one region after the other. */
  #steps = 0;

  constructor(world: ModelWorld, state: ModelState) {
    this.#world = world;
    this.#state = state;
  }

  /** Remembers which ETags a step must change or leave. */
  before(): void {
    const configs = [...this.#state.configs];
    this.#etags = new Map(configs.map(([, { id, etag }]) => [id, etag]));
    this.#slots = new Map(configs.map(([slot, { etag }]) => [slot, etag]));
  }

  async after({ step, clients }: Turn): Promise<void> {
    this.#steps += 1;
    await this.#list();
    await this.#changes(step);
    if (step.do === "apply" || step.do === "settle") await this.#exports();
    const touched = this.#touchedBy(step);
    for (const slot of SLOTS) {
      const config = this.#state.configs.get(slot);
      const isTouched = touched.includes(slot);
      if (isTouched && config !== undefined) await this.#versionsAndPlans(config);
      const regions = isTouched
        ? [...this.#world.regions.keys()]
        : [this.#steps % this.#world.regions.length];
      for (const labels of isTouched ? clients : clients.slice(0, 1)) {
        for (const region of regions) await this.#serves(slot, config, labels, region);
      }
      const [labels] = clients;
      if (isTouched && config !== undefined && labels !== undefined) await this.#resolves(config, labels);
    }
  }

  /** The configs that a step is about. Those that a bundle or a change request changed. */
  #touchedBy(step: Step): readonly Slot[] {
    if (step.do === "batch") return step.items.map(({ slot }) => slot);
    if (!["apply", "ask", "edit", "settle", "policy"].includes(step.do)) return [step.slot];
    return SLOTS.filter((slot) => this.#state.configs.get(slot)?.etag !== this.#slots.get(slot));
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
    const { tenant, app, configs } = this.#state;
    const { items } = await this.#get(`/mgt/configs?tenant=${tenant}&app=${app}`);
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
      if (config.id === "") config.id = String(item["id"]);
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
    if (config.isEncrypted) this.#learnHashes(config, listed);
    const wanted = config.versions.map(({ content, format, sealedHash }, i) => ({
      version_id: i + 1,
      format,
      content_hash: sealedHash ?? `sha256:${this.#state.hashes[content] ?? ""}`,
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

  /** Of envelopes: of the version alone, and nothing of what is in it. */
  #learnHashes({ versions }: ModelConfig, listed: readonly Json[]): void {
    const plain = Object.values(this.#state.hashes).map((hash) => `sha256:${hash}`);
    for (const [i, version] of versions.entries()) {
      version.sealedHash ??= String(listed[i]?.["content_hash"]);
      if (plain.includes(version.sealedHash)) throw new Mismatch("an encrypted version shows its plain hash");
    }
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
    const { tenant, app } = this.#state;
    const name = `${tenant}/${app}/${envOf(slot)}/${slot}`;
    const there = this.#world.regions[region] ?? "";
    const answer = await this.#fetch({ config: name, region: there, labels, minIndex: this.#index });
    const served = config === undefined ? null : serve(config, { labels, region });
    const version = config?.versions[(served?.version ?? 0) - 1];
    const where = `${slot} for ${JSON.stringify(labels)} in ${there}`;
    if (served === null || version === undefined) {
      if (answer.status === 404) return;
      throw new Mismatch(`${where}: expected 404, got ${answer.status} ${answer.text.slice(0, 100)}`);
    }
    const isSealed = config?.isEncrypted === true;
    const text = CONTENTS[version.content]?.text;
    this.same(
      {
        status: answer.status,
        version: answer.header("x-config-version"),
        hash: answer.header("x-config-hash"),
        type: answer.header("content-type"),
        body: isSealed ? await this.#world.open({ envelope: answer.text, config: name }) : answer.text,
      },
      {
        status: 200,
        version: String(served.version),
        hash: `sha256:${isSealed ? await hashOf(answer.text) : (this.#state.hashes[version.content] ?? "")}`,
        type: isSealed ? ENVELOPE_TYPE : MEDIA_TYPES[version.format],
        body: text,
      },
      where,
    );
  }

  /** Every change request, the newest first; the one that a step was about as who opens it sees it. */
  async #changes(step: Step): Promise<void> {
    const { tenant, app, changes } = this.#state;
    if (!["ask", "edit", "settle", "policy"].includes(step.do)) return;
    const list = await this.#get(`/mgt/change-requests?tenant=${tenant}&app=${app}&limit=200`);
    const newestFirst = changes.toReversed();
    this.has(
      list["items"],
      newestFirst.map((change) => shownChange(this.#state, change)),
      "change requests",
    );
    const change = changeAt(this.#state, "which" in step && step.do !== "move" ? step.which : "newest");
    if (change === undefined) return;
    const view = await this.#get(`/mgt/change-requests/${change.id}`);
    this.has(view, shownView(this.#state, change), "the change request");
  }

  async #exports(): Promise<void> {
    const { tenant, app } = this.#state;
    const exported = await this.#get(`/mgt/export?tenant=${tenant}&app=${app}`);
    this.same(contentsOfExport(exported), entriesOf(this.#state), "the export");
  }

  async #fetch(input: Parameters<ModelWorld["fetch"]>[0]): Promise<ModelAnswer> {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#world.fetch(input);
      if (answer.status !== BUSY || tries === TRIES_MAX) return answer;
    }
  }
}

/** As text, with names in one order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
