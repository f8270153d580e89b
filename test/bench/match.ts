import { setFlagsFromString } from "node:v8";
import { compileRulePattern } from "../../adapters/rule-pattern/compile-rule-pattern.ts";
import { compileRules } from "../../domain/release-rule/compile-rules.ts";
import { prepareRules } from "../../domain/release-rule/prepare-rules.ts";
import type { ReleaseRule, RuleCondition } from "../../domain/release-rule/release-rule.ts";
import { resolveRule } from "../../domain/release-rule/resolve.ts";
import { type Figure, figure } from "./figures.ts";
import { type Client, flagd, growthbook, type Matcher, unleash } from "./match-peers.ts";

const RULE_COUNTS = [1, 10, 100, 1_000, 10_000];
const RUNS = 7;
const RUN_MS = 100;
/** Clients that are asked for by turns, each with strings of its own, as requests have. */
const CLIENTS = 64;
/** Rules of the cases in which every rule has to be tried. */
const TRIED_RULES = 100;

/**
 * Nanoseconds to find the rule that decides for a client with two labels, in one process, when the last of so many rules
 * is the one. Every system is asked once for its answer before it is timed, and by turns in each run.
 */
export async function benchMatch({ quick }: { quick: boolean }): Promise<Figure[]> {
  // The peers' own way of being told that this is no development.
  process.env["NODE_ENV"] = "production";
  // V8's middle compiler fails on the function that flagd-core makes of 1,000 rules, after gigabytes, again and again. The
  // last one (TurboFan) optimises all the same, and nobody's figures at 100 rules differ.
  setFlagsFromString("--no-maglev");
  try {
    return await timeAll(quick);
  } finally {
    setFlagsFromString("--maglev");
  }
}

async function timeAll(quick: boolean): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const rules of RULE_COUNTS) {
    const clients = makeClients({ tenant: `t${rules - 1}`, plan: "pro" });
    const matchers = [conflux(equalRules(rules), clients)];
    for (const make of [growthbook, unleash, flagd]) matchers.push(await make(rules, clients));
    for (const matcher of matchers) requireAnswer(matcher, `v${rules - 1}`);
    figures.push(...timeCase(`${rules} rules`, matchers, quick));
  }
  for (const [name, tried] of Object.entries(TRIED)) {
    const matcher = conflux(tried.rules, makeClients(tried.client));
    requireAnswer(matcher, `v${TRIED_RULES - 1}`);
    figures.push(...timeCase(`${TRIED_RULES} rules of ${name}, all tried`, [matcher], quick));
  }
  return figures;
}

/** Rule i wants tenant `t{i}` and plan `pro`. */
function equalRules(count: number): ReleaseRule[] {
  return Array.from({ length: count }, (_, i) => rule(i, { labels: { tenant: `t${i}`, plan: "pro" } }));
}

function rule(i: number, changes: Partial<ReleaseRule>): ReleaseRule {
  return { labels: {}, version_id: i + 1, priority: 0, ...changes };
}

/** Rules of one operator that no value leads to; the last one holds for the client. */
function triedRules(label: string, op: RuleCondition["op"], valueOf: (i: number) => string): ReleaseRule[] {
  return Array.from({ length: TRIED_RULES }, (_, i) =>
    rule(i, { when: [{ label, op, values: [valueOf(i)] }] }),
  );
}

const LAST = TRIED_RULES - 1;
const TRIED: Record<string, { rules: ReleaseRule[]; client: Client }> = {
  prefix: {
    rules: triedRules("tenant", "prefix", (i) => `t${i}-`),
    client: { tenant: `t${LAST}-x`, plan: "pro" },
  },
  gt: { rules: triedRules("tenant", "gt", (i) => String(LAST - i)), client: { tenant: "0.5", plan: "pro" } },
  cidr: {
    rules: triedRules("tenant", "cidr", (i) => `10.${i}.0.0/16`),
    client: { tenant: `10.${LAST}.2.3`, plan: "pro" },
  },
  semver: {
    rules: triedRules("tenant", "semver", (i) => `~1.${i}.0`),
    client: { tenant: `1.${LAST}.4`, plan: "pro" },
  },
  regex: {
    rules: triedRules("tenant", "regex", (i) => `^t${i}$`),
    client: { tenant: `t${LAST}`, plan: "pro" },
  },
  percentage: {
    rules: Array.from({ length: TRIED_RULES }, (_, i) =>
      rule(i, { percentage: { by: "tenant", percent: i === LAST ? 100 : 0, salt: `salt-${i}` } }),
    ),
    client: { tenant: "user-4711", plan: "pro" },
  },
};

function conflux(rules: readonly ReleaseRule[], clients: readonly Client[]): Matcher {
  const compiled = compileRules({ rules, region: "us-east-1", configId: "cfg-1" });
  const prepared = prepareRules(compiled, compileRulePattern);
  const labels = clients.map((client) => new Map(Object.entries(client)));
  const none = new Map<string, string>();
  // Names of variants are made before: the peers only hand one out, too.
  const names = new Map(rules.map(({ version_id }) => [version_id, `v${version_id - 1}`]));
  return {
    system: "conflux",
    resolve: (i) => {
      const found = resolveRule(prepared, labels[i] ?? none);
      return found === null ? undefined : names.get(found.version_id);
    },
  };
}

/** Clients alike, whose strings are equal to those of the rules and not the same ones. */
function makeClients({ tenant, plan }: Client): Client[] {
  const copy = (text: string): string => Buffer.from(text).toString();
  return Array.from({ length: CLIENTS }, () => ({ tenant: copy(tenant), plan: copy(plan) }));
}

function requireAnswer({ system, resolve }: Matcher, expected: string): void {
  for (let i = 0; i < CLIENTS; i += 1) {
    const answer = resolve(i);
    if (answer !== expected) throw new Error(`${system} answers ${answer}, not ${expected}`);
  }
}

function timeCase(name: string, matchers: readonly Matcher[], quick: boolean): Figure[] {
  const runs = quick ? 1 : RUNS;
  const samples = matchers.map((): number[] => []);
  for (const { resolve } of matchers) time(resolve, RUN_MS / 2);
  for (let run = 0; run < runs; run += 1) {
    for (const [i, { resolve }] of matchers.entries()) {
      samples[i]?.push(time(resolve, quick ? RUN_MS / 4 : RUN_MS));
    }
  }
  return matchers.map(({ system }, i) =>
    figure({ bench: "match", case: name, system, metric: "ns_per_resolve", unit: "ns" }, samples[i] ?? []),
  );
}

/**
 * Nanoseconds a call, over at least `ms`: processor time of this thread, which on a quiet machine is the time on the clock
 * and on a busy one leaves out the others. Garbage collection in helper threads is not counted, to nobody's harm but ours.
 */
function time(resolve: Matcher["resolve"], ms: number): number {
  let calls = 0;
  let empty = 0;
  const cpuMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  const startMs = cpuMs();
  let elapsedMs = 0;
  for (let batch = 1; elapsedMs < ms; batch = Math.min(batch * 2, 4096)) {
    for (let i = 0; i < batch; i += 1) if (resolve(i % CLIENTS) === undefined) empty += 1;
    calls += batch;
    elapsedMs = cpuMs() - startMs;
  }
  // What is answered must be looked at, or the calls could be optimised away.
  if (empty > 0) throw new Error(`${empty} of ${calls} calls had no answer`);
  return (elapsedMs * 1e6) / calls;
}
