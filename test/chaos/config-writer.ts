import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Prng } from "../../consensus/sim/prng.ts";
import { parseIndexToken } from "../../domain/delivery/index-token.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import type { Stack } from "../testing/stack.ts";
import type { ConfigHistory, EpochHistory } from "./chaos-plan.ts";

const NAMESPACE = { tenant: "demo", app: "shop", env: "prod" };
const TRY_MS = 10_000;
const RETRY_PAUSE_MS = 200;
/** Pause between two writes of a writer. */
const PAUSE_MS_MIN = 200;
const PAUSE_MS_MAX = 1_200;
/** Rules name one of so many newest versions. */
const RULED_VERSIONS = 5;

/** What clients can be told apart by. */
export const COHORTS = 8;
export const TIERS = ["gold", "silver", "bronze"] as const;
const CLIENT_PRIORITY = 40;
const REGION_PRIORITY = 30;
const COHORT_PRIORITY = 20;
const TIER_PRIORITY = 10;

export interface WriterOptions {
  stack: Stack;
  name: string;
  chance: Prng;
  regions: readonly string[];
  clients: number;
}

/**
 * One config and who changes it, all the time: new versions, rules for everybody, by label, by region and for one client,
 * rollbacks. It does one thing at a time, and repeats what it does not know the outcome of under its idempotency key, so
 * that it knows the config's whole history in the end.
 */
export class ConfigWriter {
  readonly fullName: string;
  readonly history: ConfigHistory = {};
  /** Writes acknowledged, and repetitions that it took. */
  readonly counts = { writes: 0, repeated: 0 };
  readonly id: string;
  readonly #options: WriterOptions;
  #isRunning = true;
  #isDone: Promise<void> = Promise.resolve();
  /** What was written in the present epoch, and inherited from a backup. */
  #now: EpochHistory = { states: [], hashes: {} };
  /** 0 until the first write is acknowledged. */
  #epoch = 0;
  /** In every content, so that a version whose number was used before is another one. */
  #serial = 0;

  private constructor(options: WriterOptions, id: string) {
    this.#options = options;
    this.id = id;
    this.fullName = [...Object.values(NAMESPACE), options.name].join("/");
  }

  /** Makes the config, with a version that is released to everybody. */
  static async create(options: WriterOptions): Promise<ConfigWriter> {
    const content = contentOf(options.name, 0);
    const body = { ...NAMESPACE, name: options.name, format: "json", content, release: true };
    const created = await write(options.stack, "POST", "/mgt/configs", body, () => undefined);
    const writer = new ConfigWriter(options, String(created["id"]));
    writer.#keepVersion(1, content);
    writer.#keepState(created);
    return writer;
  }

  /** What a backup taken now has of this config. */
  mark(): EpochHistory {
    return { states: this.#now.states.slice(-1), hashes: { ...this.#now.hashes } };
  }

  /** Such a backup was restored: all that was written after it is undone. */
  restored(epoch: number, { states, hashes }: EpochHistory): void {
    this.#now = { states: states.map((state) => ({ ...state, index: 0 })), hashes: { ...hashes } };
    this.#begin(epoch);
  }

  #begin(epoch: number): void {
    this.#epoch = epoch;
    this.history[epoch] = this.#now;
  }

  start(): void {
    this.#isRunning = true;
    this.#isDone = this.#run();
    // Looked at in stop().
    this.#isDone.catch(() => undefined);
  }

  /** Resolves when the last write is acknowledged; rejects when one was refused for good. It may be started again. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#isDone;
  }

  /** Gives everybody a version that nobody has; resolves when that is acknowledged. */
  async surprise(): Promise<void> {
    await this.#addVersion();
    const rules = [{ labels: {}, priority: 0, version_id: this.#latest() }];
    this.#keepState(await this.#write("PUT", "releases", rules));
  }

  async #run(): Promise<void> {
    const { chance } = this.#options;
    while (this.#isRunning) {
      const draw = chance.next();
      if (draw < 0.5) {
        await this.#addVersion();
        await this.#putRules();
      } else if (draw < 0.85) await this.#putRules();
      else await this.#rollBack();
      await sleep(PAUSE_MS_MIN + chance.next() * (PAUSE_MS_MAX - PAUSE_MS_MIN));
    }
  }

  async #addVersion(): Promise<void> {
    this.#serial += 1;
    const content = contentOf(this.#options.name, this.#serial);
    const body = { content, description: "chaos" };
    const added = await this.#write("POST", "versions", body);
    this.#keepVersion(Number(added["version_id"]), content);
  }

  async #putRules(): Promise<void> {
    const { chance, regions, clients } = this.#options;
    const rules: ReleaseRule[] = [];
    const add = (priority: number, rule: Partial<ReleaseRule>): void => {
      rules.push({ labels: {}, priority, version_id: this.#someVersion(), ...rule });
    };
    if (chance.chance(0.5)) add(CLIENT_PRIORITY, { labels: { client: `c${chance.below(clients)}` } });
    if (chance.chance(0.4)) add(REGION_PRIORITY, { edge: { regions: [chance.pick(regions)!] } });
    if (chance.chance(0.6)) add(COHORT_PRIORITY, { labels: { cohort: String(chance.below(COHORTS)) } });
    if (chance.chance(0.6)) add(TIER_PRIORITY, { labels: { tier: chance.pick(TIERS)! } });
    add(0, { version_id: this.#latest() });
    this.#keepState(await this.#write("PUT", "releases", rules));
  }

  async #rollBack(): Promise<void> {
    this.#keepState(await this.#write("POST", "rollback", { version_id: this.#someVersion() }));
  }

  async #write(method: string, verb: string, body: unknown): Promise<Record<string, unknown>> {
    const repeat = (): void => void (this.counts.repeated += 1);
    const answer = await write(this.#options.stack, method, `/mgt/configs/${this.id}/${verb}`, body, repeat);
    this.counts.writes += 1;
    return answer;
  }

  #latest(): number {
    return Math.max(...Object.keys(this.#now.hashes).map(Number));
  }

  #someVersion(): number {
    return Math.max(1, this.#latest() - this.#options.chance.below(RULED_VERSIONS));
  }

  #keepVersion(version: number, content: string): void {
    this.#now.hashes[version] = createHash("sha256").update(content).digest("hex");
  }

  #keepState(answer: Record<string, unknown>): void {
    const position = parseIndexToken(String(answer["index"]))?.position;
    if (position === undefined)
      throw new Error(`a write was answered without an index: ${JSON.stringify(answer)}`);
    if (this.#epoch === 0) this.#begin(position.epoch);
    if (this.#epoch !== position.epoch)
      throw new Error(`a write was answered in epoch ${position.epoch}, not in ${this.#epoch}`);
    this.#now.states.push({ index: position.index, rules: answer["releases"] as ReleaseRule[] });
  }
}

const contentOf = (name: string, serial: number): string => JSON.stringify({ name, serial });

/** Repeats a write, under one idempotency key, until its outcome is known; throws when it is refused for good. */
async function write(
  stack: Stack,
  method: string,
  path: string,
  body: unknown,
  onRepeat: () => void,
): Promise<Record<string, unknown>> {
  const { admin_url, admin_token } = stack.dev;
  const headers = {
    authorization: `Bearer ${admin_token}`,
    "content-type": "application/json",
    "x-idempotency-key": randomUUID(),
  };
  for (;;) {
    try {
      const init = { method, headers, body: JSON.stringify(body), signal: AbortSignal.timeout(TRY_MS) };
      const response = await fetch(`${admin_url}/api/v1${path}`, init);
      const text = await response.text();
      if (response.ok) return JSON.parse(text) as Record<string, unknown>;
      if (response.status < 500) throw new RefusedError(`${method} ${path}: ${response.status} ${text}`);
    } catch (error) {
      if (error instanceof RefusedError) throw error;
    }
    onRepeat();
    await sleep(RETRY_PAUSE_MS);
  }
}

class RefusedError extends Error {}
