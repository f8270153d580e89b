import type { CompiledRule, CompiledRules } from "./compile-rules.ts";
import {
  createValueReaders,
  type LabelTest,
  type PatternCompiler,
  prepareBucket,
  prepareCondition,
  type ValueReaders,
} from "./prepare-condition.ts";

/** Compiled rules with everything made that matching needs: tables to look up in, and a test for each condition. */
export interface PreparedRules {
  rules: readonly PreparedRule[];
  byName: ReadonlyMap<string, PreparedLabel>;
  /** Of `byName`. */
  names: readonly string[];
  /** Indexes of the rules that a client without any label might match, ascending. */
  unlabelled: readonly number[];
  /** Whether any label leads to rules by its name alone. */
  hasNames: boolean;
}

export interface PreparedRule {
  position: number;
  version_id: number;
  labels: readonly (readonly [string, string])[];
  /** Conditions and percentage; none on most rules. */
  tests: readonly { label: string; holds: LabelTest }[];
}

/** Where a label leads to: indexes of rules, ascending. */
export interface PreparedLabel {
  byValue: Map<string, readonly number[]>;
  anyValue: readonly number[];
}

/**
 * Prepares rules for `resolveRule`: once for a document, so that a request parses no range, no number and no expression.
 * An expression is compiled once however many conditions name it. Throws a `RangeError` for an unknown operator.
 */
export function prepareRules(compiled: CompiledRules, compilePattern: PatternCompiler): PreparedRules {
  const patterns = new Map<string, ReturnType<PatternCompiler>>();
  const compileOnce: PatternCompiler = (source) => {
    const held = patterns.get(source);
    if (held !== undefined) return held;
    const test = compilePattern(source);
    patterns.set(source, test);
    return test;
  };
  const readers = createValueReaders();
  const byName = new Map<string, PreparedLabel>();
  const labelOf = (name: string): PreparedLabel => {
    const label = byName.get(name) ?? { byValue: new Map(), anyValue: [] };
    byName.set(name, label);
    return label;
  };
  for (const [key, indexes] of Object.entries(compiled.by_label)) {
    const nul = key.indexOf("\u0000");
    labelOf(key.slice(0, nul)).byValue.set(key.slice(nul + 1), indexes);
  }
  const names = Object.entries(compiled.by_name);
  for (const [name, indexes] of names) labelOf(name).anyValue = indexes;
  return {
    rules: compiled.rules.map((rule) => prepareRule(rule, compileOnce, readers)),
    byName,
    names: [...byName.keys()],
    unlabelled: compiled.unlabelled,
    hasNames: names.length > 0,
  };
}

function prepareRule(
  { position, version_id, labels, when, percentage }: CompiledRule,
  compilePattern: PatternCompiler,
  readers: ValueReaders,
): PreparedRule {
  const tests = when.map((condition) => ({
    label: condition.label,
    holds: prepareCondition(condition, compilePattern, readers),
  }));
  if (percentage !== null) {
    const { by, below, salt } = percentage;
    const bucketOf = prepareBucket(salt);
    tests.push({ label: by, holds: (value) => value !== undefined && bucketOf(value) < below });
  }
  return { position, version_id, labels, tests };
}
