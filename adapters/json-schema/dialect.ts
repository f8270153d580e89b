export type Draft = "4" | "6" | "7" | "2019-09" | "2020-12";

/** What a draft makes of a schema's words. */
export interface Dialect {
  draft: Draft;
  /** What `$schema` says. */
  uri: string;
  /** The keyword that names a schema. */
  identifier: "id" | "$id";
  /** Whether the neighbours of `$ref` count for nothing. */
  referenceStandsAlone: boolean;
  /** Whether an element that `contains` has matched counts as evaluated. */
  containsEvaluates: boolean;
  /** Keywords that mean something; all others are ignored. */
  keywords: ReadonlySet<string>;
}

const words = (text: string): string[] => text.split(" ");
const OF_DRAFT_4 = words(
  "$ref type enum allOf anyOf oneOf not properties patternProperties additionalProperties required minProperties " +
    "maxProperties dependencies items additionalItems minItems maxItems uniqueItems minimum maximum " +
    "exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format definitions $defs",
);
const OF_DRAFT_6 = [...OF_DRAFT_4, ...words("const contains propertyNames")];
const OF_DRAFT_7 = [...OF_DRAFT_6, ...words("if then else")];
const SINCE_2019 = words(
  "$anchor dependentRequired dependentSchemas unevaluatedItems unevaluatedProperties minContains maxContains",
);
const OF_2019_09 = [...OF_DRAFT_7, ...SINCE_2019, ...words("$recursiveRef $recursiveAnchor")];
const OF_2020_12 = [...OF_DRAFT_7, ...SINCE_2019, ...words("prefixItems $dynamicRef $dynamicAnchor")];

function dialect(draft: Draft, uri: string, keywords: readonly string[]): Dialect {
  const isModern = draft.startsWith("20");
  return {
    draft,
    uri,
    identifier: draft === "4" ? "id" : "$id",
    referenceStandsAlone: !isModern,
    containsEvaluates: draft === "2020-12",
    keywords: new Set(keywords),
  };
}

/** The drafts there are; `dependencies` and lists as `items` mean in the newest ones what they meant before. */
export const DIALECTS: readonly Dialect[] = [
  dialect("4", "http://json-schema.org/draft-04/schema", OF_DRAFT_4),
  dialect("6", "http://json-schema.org/draft-06/schema", OF_DRAFT_6),
  dialect("7", "http://json-schema.org/draft-07/schema", OF_DRAFT_7),
  dialect("2019-09", "https://json-schema.org/draft/2019-09/schema", OF_2019_09),
  dialect("2020-12", "https://json-schema.org/draft/2020-12/schema", OF_2020_12),
];
export const DIALECT_DEFAULT = DIALECTS.at(-1) as Dialect;

/** The dialect that `$schema` names, with http or https and with or without an empty fragment. */
export function findDialect(uri: string): Dialect | undefined {
  const bare = (text: string): string => text.replace(/#$/, "").replace(/^https?:/, "");
  return DIALECTS.find((known) => bare(known.uri) === bare(uri));
}
