/**
 * A world of publish plans in virtual time: the state machine of the log, the code of publish-stage, gates that change their
 * mind, people who meddle, and invocations that come at random, doubled, hours late, and die between any two of their actions.
 */
import { createApprovalGate } from "../../adapters/publish-gate/approval-gate.ts";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { MemoryLeaseStore } from "../../adapters/memory/memory-lease-store.ts";
import { memoryPublishGates } from "../../adapters/memory/memory-publish-gate.ts";
import { createIn } from "../../adapters/core-client/testing/core-conformance.ts";
import type { GateQuestion, PublishGatePorts } from "../../contracts/publish/publish-gate-port.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { createPrng, type Prng } from "../../consensus/sim/prng.ts";
import { testCommand, testRule } from "../../domain/command/testing-commands.ts";
import type { GateOutcome, PublishGate } from "../../domain/publish/publish-gate.ts";
import { isRunning, type PublishPlan, type PublishStageInput } from "../../domain/publish/publish-plan.ts";
import { createHandler } from "../../lambdas/publish-stage.ts";
import { scheduledEvent } from "../../dev/lambda-events.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** The clock of a function may be as far from the log's. */
const SKEW_MS_MAX = 10 * MINUTE_MS;
/** Refusals that people get who come too late, or are not asked. */
const REFUSED = new Set(["invalid_transition", "conflict", "forbidden", "already_exists", "not_found"]);

/** The invocation ends here, as if its machine had. */
class Crash extends Error {}

export interface SimulationOptions {
  seed: number;
  plans: number;
  regions: number;
}

export class PublishSimulation {
  readonly core: MemoryCore;
  readonly regions: readonly string[];
  readonly planIds: string[] = [];
  /** What gates have said: `plan/stage/gate/verdict`, so that nothing is done that none of them said. */
  readonly said = new Set<string>();
  readonly counts = { invocations: 0, crashes: 0, refusals: 0, hours: 0 };
  #nowMs = Date.UTC(2026, 0, 1);
  readonly #startMs = this.#nowMs;
  readonly #random: Prng;
  readonly #leases = new MemoryLeaseStore(() => this.#nowMs);
  /** Gates hold, people approve, and nothing dies any more. */
  #calm = false;

  constructor(options: SimulationOptions) {
    this.#random = createPrng(options.seed);
    this.core = new MemoryCore({ now: () => this.#nowMs });
    this.regions = Array.from({ length: options.regions }, (_, i) => `region-${i + 1}`);
  }

  #chance(of: number): boolean {
    return this.#random.next() < of;
  }

  #whole(max: number): number {
    return Math.floor(this.#random.next() * max);
  }

  /** Makes a config that serves version 1 everywhere, and begins a plan of its second version. */
  async begin(): Promise<void> {
    const name = `c${this.planIds.length}.json`;
    const { result } = await createIn(this.core, name, "{}", { releases: [testRule(1)] });
    await this.core.propose({
      command: testCommand("create_version", {
        config_id: result.config.id,
        content: { attachment: 0, sha256: result.version.sha256 },
        format: null,
        schema: null,
        description: "second",
      }),
      attachments: [new TextEncoder().encode("{}")],
    });
    const started = await this.core.propose({
      command: testCommand("start_publish", {
        config_id: result.config.id,
        content: null,
        version_id: 2,
        description: "",
        strategy: "staged",
        form: 2,
        stages: this.#stages(),
      }),
      attachments: [],
    });
    this.planIds.push(started.result.publish.id);
  }

  /** One to five stages, each of more regions than the one before. */
  #stages(): PublishStageInput[] {
    const order = [...this.regions];
    for (let i = order.length - 1; i > 0; i -= 1) {
      const k = this.#whole(i + 1);
      [order[i], order[k]] = [order[k] ?? "", order[i] ?? ""];
    }
    const count = 1 + this.#whole(5);
    return Array.from({ length: count }, (_, i) => ({
      name: `s${i + 1}`,
      regions: order.slice(0, Math.ceil(((i + 1) * order.length) / (count + 1))),
      labels: null,
      bake_minutes: 1 + this.#whole(8 * 60),
      ...(this.#chance(0.6) ? { gates: this.#gates() } : {}),
    }));
  }

  #gates(): PublishGate[] {
    const on_fail = () => (this.#chance(0.5) ? ("pause" as const) : ("abort" as const));
    const gates: PublishGate[] = [
      { type: "webhook", url: "https://gate.example/", secret: "sealed", on_fail: on_fail() },
      { type: "approval", approvers: 1 + this.#whole(2) },
      { type: "delivery_reports", max_error_percent: 1, sample_min: 10, on_fail: on_fail() },
    ];
    return gates.filter(() => this.#chance(0.5));
  }

  /** What a gate says in this moment: mostly that it holds. */
  #say({ plan, gate }: GateQuestion): GateOutcome {
    const draw = this.#calm ? 1 : this.#random.next();
    let outcome: GateOutcome = { verdict: "holds" };
    if (draw < 0.01) outcome = { verdict: "fails", reason: `${gate.type} said no` };
    else if (draw < 0.3) outcome = { verdict: "waits", reason: `${gate.type} does not know` };
    this.said.add(`${plan.id}/${plan.stage}/${gate.type}/${outcome.verdict}`);
    return outcome;
  }

  get running(): PublishPlan[] {
    return this.planIds
      .map((id) => this.core.state.json(`p/${id}`) as PublishPlan)
      .filter((plan) => isRunning(plan));
  }

  /** A while of it: time passes, people meddle, invocations run side by side. */
  async step(): Promise<void> {
    this.#pass(this.#random.next() * 2 * HOUR_MS);
    const plans = this.running;
    for (let i = Math.ceil(plans.length / 10); i > 0; i -= 1) {
      const plan = plans[this.#whole(plans.length)];
      if (plan !== undefined) await this.#meddle(plan);
    }
    const runs = Array.from({ length: 1 + this.#whole(3) }, () => this.#invoke());
    await Promise.all(runs);
  }

  /** Ends all that is left: pauses are ended, people approve, gates hold, and one invocation follows the other. */
  async calmDown(stepsMax: number): Promise<void> {
    this.#calm = true;
    for (let i = 0; i < stepsMax && this.running.length > 0; i += 1) {
      this.#pass(8 * HOUR_MS);
      for (const plan of this.running) {
        if (plan.state === "paused") await this.#ask("resume_publish", { publish_id: plan.id });
        for (const person of ["u-7", "u-8"]) await this.#approve(plan, person);
      }
      await this.#invoke();
    }
  }

  #pass(ms: number): void {
    this.#nowMs += Math.floor(ms);
    this.counts.hours = Math.round((this.#nowMs - this.#startMs) / HOUR_MS);
  }

  async #meddle(plan: PublishPlan): Promise<void> {
    const publish_id = plan.id;
    // Now and then of a stage that the plan is not in.
    const expected_stage = this.#chance(0.1) ? plan.stage + 1 : plan.stage;
    const draw = this.#random.next();
    if (draw < 0.5) return this.#approve(plan, `u-${1 + this.#whole(5)}`);
    if (draw < 0.6) {
      const on_timeout = this.#chance(0.8) ? "resume" : "abort";
      const minutes = 1 + this.#whole(600);
      return this.#ask("pause_publish", { publish_id, expected_stage, minutes, on_timeout });
    }
    if (draw < 0.8) {
      const skip_gates = this.#chance(0.2) ? "it is known" : undefined;
      return this.#ask("resume_publish", { publish_id, skip_gates });
    }
    if (draw < 0.98) {
      const gates = this.#chance(0.3) ? { skipped: "it is urgent" } : undefined;
      return this.#ask("advance_publish", { publish_id, expected_stage, cause: "by_hand", gates });
    }
    return this.#ask("abort_publish", { publish_id });
  }

  async #approve(plan: PublishPlan, id: string): Promise<void> {
    await this.#ask(
      "approve_publish_stage",
      { publish_id: plan.id, expected_stage: plan.stage, comment: "" },
      { type: "user", id, name: id },
    );
  }

  /** What a person asks for; that it is refused is part of the world. */
  async #ask(...[kind, payload, actor]: AskArguments): Promise<void> {
    const command = testCommand(kind, payload, actor === undefined ? {} : { actor });
    try {
      await this.core.propose<typeof kind>({ command, attachments: [] });
    } catch (error) {
      if (!(error instanceof ConfluxError) || !REFUSED.has(error.code)) throw error;
      this.counts.refusals += 1;
    }
  }

  /** One invocation, which may die anywhere. */
  async #invoke(): Promise<void> {
    this.counts.invocations += 1;
    const skewMs = (this.#random.next() * 2 - 1) * SKEW_MS_MAX;
    const run = new Run(this.#random.next(), this.#calm, (ms) => this.#pass(ms));
    const said = memoryPublishGates((question) => this.#say(question));
    const gates: PublishGatePorts = {
      webhook: { check: (question) => run.act(() => said.webhook.check(question)) },
      approval: createApprovalGate(),
      delivery_reports: { check: (question) => run.act(() => said.delivery_reports.check(question)) },
    };
    const { core } = this;
    const leases = this.#leases;
    const propose: MemoryCore["propose"] = (input) => run.act(() => core.propose(input));
    const handler = createHandler({
      core: {
        listDuePublishes: (input) => run.act(() => core.listDuePublishes(input)),
        getPublish: (id) => run.act(() => core.getPublish(id)),
        propose,
      },
      leases: {
        acquire: (...lease) => run.act(() => leases.acquire(...lease)),
        release: (...lease) => run.act(() => leases.release(...lease)),
      },
      gates,
      nowMs: () => this.#nowMs + skewMs,
      random: () => this.#random.next(),
      newId: () => `${this.#whole(1e9)}`.padStart(32, "0"),
      log: () => undefined,
    });
    const hint = this.planIds[this.#whole(this.planIds.length)] ?? "";
    const event = this.#chance(0.1)
      ? { Records: [{ messageId: "m", body: JSON.stringify({ publish_id: hint }) }] }
      : scheduledEvent("publish-stage", this.#nowMs);
    try {
      await handler(event, { getRemainingTimeInMillis: () => MINUTE_MS });
    } catch (error) {
      if (!run.isDead) throw error;
      this.counts.crashes += 1;
    }
  }
}

type AskedKind =
  | "approve_publish_stage"
  | "pause_publish"
  | "resume_publish"
  | "advance_publish"
  | "abort_publish";
type AskArguments = {
  [K in AskedKind]: [
    kind: K,
    payload: Parameters<typeof testCommand<K>>[1],
    actor?: { type: "user"; id: string; name: string },
  ];
}[AskedKind];

/** The actions of one invocation: each may be its last, before it is done or after, and may find that hours have passed. */
class Run {
  isDead = false;
  readonly #random: Prng;
  readonly #lifetime: number;
  readonly #calm: boolean;
  readonly #pass: (ms: number) => void;
  #actions = 0;

  constructor(seed: number, calm: boolean, pass: (ms: number) => void) {
    this.#random = createPrng(Math.floor(seed * 2 ** 32));
    this.#calm = calm;
    this.#pass = pass;
    // Half of them live through; the others die early or late.
    this.#lifetime =
      this.#random.next() < 0.5 || calm ? Infinity : Math.floor(10 ** (this.#random.next() * 3.5));
  }

  async act<T>(action: () => Promise<T>): Promise<T> {
    this.#dieOr("before");
    if (!this.#calm && this.#random.next() < 0.3) await new Promise((resolve) => setImmediate(resolve));
    if (!this.#calm && this.#random.next() < 0.000_5) this.#pass(this.#random.next() * 6 * HOUR_MS);
    const done = await action();
    this.#dieOr("after");
    return done;
  }

  #dieOr(when: "before" | "after"): void {
    if (when === "before") this.#actions += 1;
    const isLast = this.#actions === this.#lifetime && (when === "after" || this.#random.next() < 0.5);
    if (isLast || this.#actions > this.#lifetime) this.isDead = true;
    if (this.isDead) throw new Crash(`${when} action ${this.#actions}`);
  }
}
