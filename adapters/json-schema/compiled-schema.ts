import type { Dialect } from "./dialect.ts";
import type { WorkMeter } from "./work-meter.ts";

/** A schema with a URI of its own; what dynamic references look through. */
export interface SchemaResource {
  uri: string;
  dialect: Dialect;
  root: unknown;
  /** By name; a schema's place within the resource. */
  anchors: Map<string, object>;
  dynamicAnchors: Map<string, object>;
  isRecursiveAnchor: boolean;
}

/** A check that looks at nothing below the value it is given but by itself. Answers what is wrong, or null. */
export type Leaf = (value: unknown, meter: WorkMeter) => string | null;

/** A keyword that hands a value, or parts of it, to other schemas. Yields when others should get a turn. */
export type Applier = (frame: Frame) => Generator<void, boolean>;

export interface CompiledSchema {
  resource: SchemaResource;
  leaves: Leaf[];
  appliers: Applier[];
  /** Whether some keyword asks which parts its neighbours have evaluated. */
  asksEvaluated: boolean;
  /** Schemas that judge the same value, and through which reference if any: for finding circles. */
  inPlace: { schema: CompiledSchema; reference: string | null }[];
}

/** Keys from the document's root to a value, the last one first. */
export interface ValuePath {
  key: string | number;
  parent: ValuePath | null;
}

/** The resources through which the evaluation has come, the latest first. */
export interface DynamicScope {
  resource: SchemaResource;
  parent: DynamicScope | null;
}

export interface SchemaFinding {
  path: ValuePath | null;
  message: string;
}

/** Findings up to a number; what comes after is not kept. */
export class FindingList {
  readonly findings: SchemaFinding[] = [];
  readonly #max: number;
  constructor(max: number) {
    this.#max = max;
  }
  get isFull(): boolean {
    return this.findings.length >= this.#max;
  }
  add(path: ValuePath | null, message: string): void {
    if (!this.isFull) this.findings.push({ path, message });
  }
  /** An empty list of the same bound. */
  another(): FindingList {
    return new FindingList(this.#max);
  }
  addAll(other: FindingList | null): void {
    for (const { path, message } of other?.findings ?? []) this.add(path, message);
  }
}

/** Which parts of one value some keyword has evaluated. */
export class EvaluatedParts {
  allProperties = false;
  allItems = false;
  /** Elements evaluated from the start. */
  items = 0;
  readonly properties = new Set<string>();
  /** Elements that `contains` has matched. */
  readonly contained = new Set<number>();

  addAll(other: EvaluatedParts, meter: WorkMeter): void {
    meter.charge(3 * (other.properties.size + other.contained.size));
    this.allProperties ||= other.allProperties;
    this.allItems ||= other.allItems;
    this.items = Math.max(this.items, other.items);
    for (const name of other.properties) this.properties.add(name);
    for (const index of other.contained) this.contained.add(index);
  }
}

/** One value before one schema. */
export interface Frame {
  meter: WorkMeter;
  value: unknown;
  path: ValuePath | null;
  scope: DynamicScope | null;
  /** Where to note which parts were evaluated; null when nobody asks. */
  evaluated: EvaluatedParts | null;
  /** Where to say what is wrong; null when only the verdict counts, and then the first fault ends it. */
  list: FindingList | null;
  depth: number;
}
