import { compileRulePattern } from "../../adapters/rule-pattern/compile-rule-pattern.ts";
import { type IndexPosition, parseIndexToken } from "../../domain/delivery/index-token.ts";
import { compileRules } from "../../domain/release-rule/compile-rules.ts";
import { prepareRules } from "../../domain/release-rule/prepare-rules.ts";
import { resolveRule } from "../../domain/release-rule/resolve.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import type { ChaosHistory, ClientPlan } from "./chaos-plan.ts";

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

/** The same version over several answers; `index` is the last one's, which asks for most. */
interface Run {
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
    const how = plan.watches ? "watcher" : "poller";
    this.#who = `client ${plan.number} (${how}, ${plan.region}, ${labels.join(" ")})`;
  }

  /** The index that the client names as its minimum. */
  get floor(): string | null {
    return this.#floorToken;
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
    if (floor !== undefined && sameLine(position, floor) && position.index < floor.index) {
      found.push(this.#say(`went back from index ${floor.index} to ${position.index} at ${config}`));
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
    if (run?.version === version) run.index = position.index;
    else runs.push({ version, index: position.index });
    return [];
  }

  /** An event's index is as good as an answer's; one of another cluster or epoch begins anew. */
  raise(token: string): void {
    const position = parseIndexToken(token)?.position;
    if (position === undefined) return;
    const floor = this.#floor;
    if (floor !== null && sameLine(position, floor) && position.index <= floor.index) return;
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
      const rules = history[config]?.states.at(-1)?.rules ?? [];
      const wanted = versionFor(rules, this.#plan);
      const held = this.#held.get(config)?.version ?? null;
      return held === wanted ? [] : [this.#say(`holds v${held} of ${config} instead of v${wanted}`)];
    });
  }

  /**
   * Every answer against the whole history: at index n a client is given what the rules of n say, or those of a later
   * moment (a head's entries may be newer than its index), and the bytes of that version.
   */
  judge(history: ChaosHistory): string[] {
    const found: string[] = [];
    for (const [config, runs] of this.#runs) {
      const states = history[config]?.states ?? [];
      const versions = states.map(({ rules }) => versionFor(rules, this.#plan));
      for (const { version, index } of runs) {
        const from = states.findLastIndex((state) => state.index <= index);
        if (from === -1 || !versions.slice(from).includes(version)) {
          const then = from === -1 ? "nothing" : `v${versions[from]}`;
          found.push(
            this.#say(`was given v${version} of ${config} at index ${index}, where the rules say ${then}`),
          );
        }
      }
      const held = this.#held.get(config);
      if (held !== undefined && history[config]?.hashes[held.version] !== held.hash) {
        found.push(this.#say(`holds other bytes of v${held.version} of ${config} than were written`));
      }
    }
    return found;
  }

  #say(what: string): string {
    return [`${this.#who} ${what}; its last answers:`, ...this.#last].join("\n    ");
  }
}

function sameLine(a: IndexPosition, b: IndexPosition): boolean {
  return a.cluster_id === b.cluster_id && a.epoch === b.epoch;
}

/** What the rules give a client; null: nothing. */
export function versionFor(rules: readonly ReleaseRule[], { labels, region }: ClientPlan): number | null {
  // The id is the salt of percentages that name none, and there are none here.
  const compiled = compileRules({ rules, region, configId: "" });
  const prepared = prepareRules(compiled, compileRulePattern);
  return resolveRule(prepared, new Map(Object.entries(labels)))?.version_id ?? null;
}
