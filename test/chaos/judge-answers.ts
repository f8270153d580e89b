import { compileRulePattern } from "../../adapters/rule-pattern/compile-rule-pattern.ts";
import { type IndexPosition, parseIndexToken } from "../../domain/delivery/index-token.ts";
import { compileRules } from "../../domain/release-rule/compile-rules.ts";
import { prepareRules } from "../../domain/release-rule/prepare-rules.ts";
import { resolveRule } from "../../domain/release-rule/resolve.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { type ChaosHistory, type ClientPlan, newestOf } from "./chaos-plan.ts";

/** Answers of a client that are kept, to be shown with a violation. */
const LAST_ANSWERS = 20;

/** A 200 or a 304 of the edge. */
export interface ConfigAnswer {
  config: string;
  status: number;
  version: number;
  /** `X-Config-Index`. */
  index: string;
  /** What the client had asked for: the highest index that it knew when it asked. */
  minIndex: string | null;
  hash: string;
  atMs: number;
}

/** The same version over several answers of an epoch; `index` is the last one's, which asks for most. */
interface Run {
  epoch: number;
  version: number;
  index: number;
}

/**
 * What one client was answered, and whether it may have been. A client's index is the highest that it has seen in an
 * answer or in an event. It names that when it asks, one question at a time, so an answer below it goes back; an event
 * that comes between question and answer asks nothing of that answer.
 */
export class AnswerJudge {
  readonly #who: string;
  readonly #plan: ClientPlan;
  readonly #runs = new Map<string, Run[]>();
  readonly #held = new Map<string, ConfigAnswer>();
  #last: string[] = [];
  #floor: IndexPosition | null = null;
  #floorToken: string | null = null;

  constructor(plan: ClientPlan) {
    this.#plan = plan;
    const labels = Object.entries(plan.labels).map(([name, value]) => `${name}=${value}`);
    const how = plan.watches === null ? "poller" : `watcher by ${plan.watches}`;
    this.#who = `client ${plan.number} (${how}, ${plan.region}, ${labels.join(" ")})`;
  }

  /** The index that the client names as its minimum. */
  get floor(): string | null {
    return this.#floorToken;
  }

  /** The epoch of that index; 0 while there is none. */
  get epoch(): number {
    return this.#floor?.epoch ?? 0;
  }

  held(config: string): ConfigAnswer | undefined {
    return this.#held.get(config);
  }

  /** Takes an answer; what is wrong with it, in words. */
  take(answer: ConfigAnswer): string[] {
    const { config, status, version, index, minIndex, hash, atMs } = answer;
    this.note(`${(atMs / 1000).toFixed(2)} s ${config} ${status} v${version} ${index}`);
    const position = parseIndexToken(index)?.position;
    if (position === undefined) return [this.#say(`an answer without an index: "${index}"`)];
    const found: string[] = [];
    const floor = minIndex === null ? undefined : parseIndexToken(minIndex)?.position;
    if (floor !== undefined && isBefore(position, floor)) {
      const [from, to] = [floor, position].map(({ epoch, index: n }) => `${n} of epoch ${epoch}`);
      found.push(this.#say(`went back from index ${from} to ${to} at ${config}`));
    }
    const held = this.#held.get(config);
    if (status === 304 && (held === undefined || held.version !== version || held.hash !== hash)) {
      found.push(this.#say(`304 for v${version} of ${config}, where v${held?.version ?? "none"} is held`));
    }
    if (found.length > 0) return found;
    this.raise(index);
    this.#held.set(config, answer);
    const runs = this.#runs.get(config) ?? [];
    this.#runs.set(config, runs);
    const run = runs.at(-1);
    const { epoch } = position;
    if (run?.version === version && run.epoch === epoch) run.index = position.index;
    else runs.push({ epoch, version, index: position.index });
    return [];
  }

  /** An event's index is as good as an answer's; one of another cluster or a later epoch begins anew. */
  raise(token: string): void {
    const position = parseIndexToken(token)?.position;
    if (position === undefined) return;
    const floor = this.#floor;
    if (floor !== null && (isBefore(position, floor) || isSame(position, floor))) return;
    this.#floor = position;
    this.#floorToken = token;
  }

  /** Keeps a line for whoever must understand a violation. */
  note(line: string): void {
    this.#last = [...this.#last.slice(1 - LAST_ANSWERS), line];
  }

  /** What the client should hold after the last of the history, and does not. */
  behind(history: ChaosHistory): string[] {
    return this.#plan.configs.flatMap((config) => {
      const now = newestOf(history[config]);
      const wanted = versionFor(now?.states.at(-1)?.rules ?? [], this.#plan);
      const held = this.#held.get(config);
      // A number that a restore has given away anew is another version.
      const bytes = wanted === null ? undefined : now?.hashes[wanted];
      if ((held?.version ?? null) === wanted && held?.hash === bytes) return [];
      return [this.#say(`holds v${held?.version ?? null} of ${config} instead of v${wanted}`)];
    });
  }

  /**
   * Every answer against the whole history of its epoch: at index n a client is given what the rules of n say, or those of a
   * later moment (a head's entries may be newer than its index), and the bytes of that version.
   */
  judge(history: ChaosHistory): string[] {
    const found: string[] = [];
    for (const [config, runs] of this.#runs) {
      const entitled = new Map<number, (number | null)[]>();
      for (const { epoch, version, index } of runs) {
        const states = history[config]?.[epoch]?.states ?? [];
        const versions = entitled.get(epoch) ?? states.map(({ rules }) => versionFor(rules, this.#plan));
        entitled.set(epoch, versions);
        const from = states.findLastIndex((state) => state.index <= index);
        // Before the first of them there was no config; a head of that index may have it already.
        if (!versions.slice(Math.max(from, 0)).includes(version)) {
          const then = from === -1 ? "nothing" : `v${versions[from]}`;
          found.push(
            this.#say(`was given v${version} of ${config} at index ${index}, where the rules say ${then}`),
          );
        }
      }
      const held = this.#held.get(config);
      const heldIn = parseIndexToken(held?.index ?? "")?.position.epoch ?? 0;
      if (held !== undefined && history[config]?.[heldIn]?.hashes[held.version] !== held.hash) {
        found.push(this.#say(`holds other bytes of v${held.version} of ${config} than were written`));
      }
    }
    return found;
  }

  #say(what: string): string {
    return [`${this.#who} ${what}; its last answers:`, ...this.#last].join("\n    ");
  }
}

/** Positions of different clusters are neither before nor after each other. */
function isBefore(a: IndexPosition, b: IndexPosition): boolean {
  if (a.cluster_id !== b.cluster_id) return false;
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.index < b.index);
}

function isSame(a: IndexPosition, b: IndexPosition): boolean {
  return a.cluster_id === b.cluster_id && a.epoch === b.epoch && a.index === b.index;
}

/** What the rules give a client; null: nothing. */
export function versionFor(rules: readonly ReleaseRule[], { labels, region }: ClientPlan): number | null {
  // The id is the salt of percentages that name none, and there are none here.
  const compiled = compileRules({ rules, region, configId: "" });
  const prepared = prepareRules(compiled, compileRulePattern);
  return resolveRule(prepared, new Map(Object.entries(labels)))?.version_id ?? null;
}
