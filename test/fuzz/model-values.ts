/** What the steps of the model test are made of: small sets, so that things meet. */

export interface ModelContent {
  text: string;
  isJson: boolean;
  /** Whether it satisfies `INT_SCHEMA`. */
  isInt: boolean;
}
/** One is too large to travel inside a document of the edge. */
export const CONTENTS: Readonly<Record<string, ModelContent>> = {
  one: { text: '{"n":1}', isJson: true, isInt: true },
  two: { text: '{"n":2}', isJson: true, isInt: true },
  three: { text: '{ "n": 3 }\n', isJson: true, isInt: true },
  word: { text: '{"n":"ä"}', isJson: true, isInt: false },
  broken: { text: '{"n":', isJson: false, isInt: false },
  large: { text: `{"n":4,"filling":"${"x".repeat(40_000)}"}`, isJson: true, isInt: true },
};
/** SHA-256 of a text, lower-case hex. */
export async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const INT_SCHEMA = {
  type: "object",
  required: ["n"],
  properties: { n: { type: "integer" } },
};
/** A version's own schema that takes everything, instead of its config's. */
export const LOOSE_SCHEMA = {};
export type SchemaName = "int" | "loose";

export const FORMATS = ["json", "text"] as const;
export type ModelFormat = (typeof FORMATS)[number];
export const MEDIA_TYPES: Readonly<Record<ModelFormat, string>> = {
  json: "application/json",
  text: "text/plain; charset=utf-8",
};

/** Whether the API takes a content: of its format, and of the schema that counts. */
export function fits(name: string, format: ModelFormat, schema: SchemaName | null): boolean {
  const content = CONTENTS[name];
  if (content === undefined) throw new Error(`there is no content ${name}`);
  if (format === "text") return schema === null;
  if (!content.isJson) return false;
  return schema !== "int" || content.isInt;
}

/** The labels that a client may have, and one value that no rule asks for. */
export const LABEL_VALUES: Readonly<Record<string, readonly string[]>> = {
  tier: ["gold", "silver", "Gold"],
  app: ["1.2.3", "2.0.0", "banana"],
  ip: ["10.1.2.3", "192.0.2.7"],
  n: ["5", "18", "18.5", "many"],
  user: ["ada", "bob", "cleo", "dan", "eve", "fay", "gus", "hal"],
};

export interface ModelCondition {
  label: string;
  op: string;
  values: string[];
}
/** A condition and what it means, said by hand: the value is that of a client, null when it has no such label. */
export interface KnownCondition extends ModelCondition {
  holds: (value: string | null) => boolean;
}
const known = (
  label: string,
  op: string,
  values: string[],
  holds: (value: string) => boolean,
  withoutLabel = false,
): KnownCondition => ({
  label,
  op,
  values,
  holds: (value) => (value === null ? withoutLabel : holds(value)),
});
export const CONDITIONS: readonly KnownCondition[] = [
  known("tier", "in", ["gold", "silver"], (v) => v === "gold" || v === "silver"),
  known("tier", "not_in", ["gold"], (v) => v !== "gold", true),
  known("tier", "regex", ["^(?i)gold$"], (v) => v.toLowerCase() === "gold"),
  known("tier", "exists", ["false"], () => false, true),
  known("user", "exists", [], () => true),
  known("user", "prefix", ["a", "b"], (v) => v.startsWith("a") || v.startsWith("b")),
  known("user", "suffix", ["e"], (v) => v.endsWith("e")),
  known("app", "semver", ["^1.2.0"], (v) => v === "1.2.3"),
  known("app", "semver", [">=1.0.0"], (v) => v !== "banana"),
  known("ip", "cidr", ["10.0.0.0/8"], (v) => v.startsWith("10.")),
  known("n", "gt", ["18"], (v) => v === "18.5"),
  known("n", "lt", ["18"], (v) => v === "5"),
];

/** Rules that are refused whatever else is so, and only when the list is looked at as a whole. */
export const FLAWS: readonly Readonly<Record<string, unknown>>[] = [
  { percentage: { by: "user", percent: 12.345 } },
  { when: [{ label: "app", op: "semver", values: ["banana"] }] },
  { when: [{ label: "app", op: "prefix", values: [""] }] },
  { when: [{ label: "ip", op: "cidr", values: ["10.0.0.0/33"] }] },
  { when: [{ label: "n", op: "gt", values: ["1", "2"] }] },
  { labels: { "no blank": "x" } },
];

export interface ModelStage {
  name: string;
  regions?: number[];
  labels?: Record<string, string>;
  percentage?: { by: string; percent: number; salt?: string };
}
export interface ModelStrategy {
  type: "all" | "canary" | "staged" | "percentage";
  stages: ModelStage[];
  isRefused?: true;
}
/** Regions are positions in the world's list. */
export const STRATEGIES: Readonly<Record<string, ModelStrategy>> = {
  all: { type: "all", stages: [] },
  canary: { type: "canary", stages: [{ name: "canary", labels: { Tier: "gold" } }] },
  shares: {
    type: "percentage",
    stages: [
      { name: "few", percentage: { by: "user", percent: 10 } },
      { name: "half", percentage: { by: "user", percent: 50 } },
    ],
  },
  regions: {
    type: "staged",
    stages: [
      { name: "there", regions: [1] },
      { name: "gold here", regions: [0], labels: { tier: "gold" } },
    ],
  },
  mixed: {
    type: "staged",
    stages: [
      { name: "some", labels: { tier: "silver" }, percentage: { by: "user", percent: 60, salt: "s" } },
      { name: "silver", labels: { tier: "silver" } },
      { name: "everywhere", regions: [0, 1] },
    ],
  },
  idle: {
    type: "staged",
    stages: [
      { name: "both", regions: [0, 1] },
      { name: "one of them", regions: [1] },
    ],
    isRefused: true,
  },
  everyone: { type: "staged", stages: [{ name: "nobody is out" }], isRefused: true },
};

/** Bodies that no state of the world makes right: [method, path below the config or from the root, body, code]. */
export const WRONG_REQUESTS: readonly (readonly [string, string, unknown, string])[] = [
  ["PUT", "/releases", {}, "validation_failed"],
  ["PUT", "/releases", [{ version_id: 0 }], "validation_failed"],
  ["PUT", "/releases", [{ version_id: 1, priority: 0.5 }], "validation_failed"],
  ["PUT", "/releases", [{ version_id: 1, percentage: { by: "user", percent: 100.5 } }], "validation_failed"],
  ["PUT", "/releases", [{ version_id: 1, when: [{ label: "a", op: "like" }] }], "validation_failed"],
  ["PUT", "/releases", [{ version_id: 1, publish_id: "p" }], "validation_failed"],
  ["PUT", "/releases", '[{"version_id":1}', "malformed_request"],
  ["POST", "/versions", {}, "validation_failed"],
  ["POST", "/versions", { content: "{}", content_base64: "e30=" }, "validation_failed"],
  ["POST", "/versions", { content: "{}", contents: "{}" }, "validation_failed"],
  ["POST", "/rollback", { version_id: "1" }, "validation_failed"],
  ["POST", "/publish", { version_id: 1 }, "validation_failed"],
  ["POST", "/publish", { version_id: 1, strategy: { type: "canary" } }, "validation_failed"],
  [
    "POST",
    "/publish",
    { version_id: 1, strategy: { type: "all" }, make_default_after_mins: 1 },
    "validation_failed",
  ],
  ["PUT", "/retention", { count: 0 }, "validation_failed"],
];
