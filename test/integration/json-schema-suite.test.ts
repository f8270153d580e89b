import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { validateAtOnce } from "../../adapters/json-schema/testing-validate.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/**
 * The official JSON-Schema-Test-Suite, as Debian's package `libtest-json-schema-acceptance-perl` installs it, or in the
 * folder that CONFLUX_JSON_SCHEMA_SUITE names (with `tests` and `remotes` in it).
 */
const SUITE =
  process.env["CONFLUX_JSON_SCHEMA_SUITE"] ?? "/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance";
const isHere = existsSync(join(SUITE, "tests/draft2020-12"));
/** Where the suite says that its remote documents are served. */
const REMOTE = "http://localhost:1234/";

interface Group {
  description: string;
  schema: unknown;
  tests: { description: string; data: unknown; valid: boolean }[];
}

const DRAFTS: Record<string, string> = {
  draft4: "http://json-schema.org/draft-04/schema#",
  draft6: "http://json-schema.org/draft-06/schema#",
  draft7: "http://json-schema.org/draft-07/schema#",
  "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
  "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
};

/** A `$schema` that names a document of one's own: nothing is fetched, so what it would mean is not known. */
const OWN_META_SCHEMA = [
  "schema that uses custom metaschema with with no validation vocabulary: applicator vocabulary still works",
  "schema that uses custom metaschema with with no validation vocabulary: no validation: valid number",
  "schema that uses custom metaschema with with no validation vocabulary: no validation: invalid number, but it still validates",
  "ignore unrecognized optional vocabulary: string value",
  "ignore unrecognized optional vocabulary: number value",
].map((title) => `vocabulary.json: ${title}`);
const DISAGREEMENTS: Record<string, readonly string[]> = {
  "draft2019-09": OWN_META_SCHEMA,
  "draft2020-12": OWN_META_SCHEMA,
};

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));

function readRemotes(): Map<string, unknown> {
  const root = join(SUITE, "remotes");
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".json"));
  return new Map(files.map((file) => [REMOTE + file, readJson(join(root, file))]));
}

/** Titles of the cases in one folder, and of those in which we and the suite do not say the same. */
function run(folder: string, $schema: string, documents: ReadonlyMap<string, unknown>) {
  const titles: string[] = [];
  const differing: string[] = [];
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    for (const { description, schema, tests } of readJson(join(folder, file)) as Group[]) {
      const dated = typeof schema === "object" ? { $schema, ...schema } : schema;
      for (const test of tests) {
        const title = `${file}: ${description}: ${test.description}`;
        titles.push(title);
        if (judge(dated, test.data, documents) !== test.valid) differing.push(title);
      }
    }
  }
  return { titles, differing };
}

function judge(
  schema: unknown,
  value: unknown,
  documents: ReadonlyMap<string, unknown>,
): boolean | "refused" {
  try {
    return validateAtOnce({ schema: JSON.stringify(schema), value, documents }).length === 0;
  } catch (error) {
    if (error instanceof ConfluxError) return "refused";
    throw error;
  }
}

const missing = isHere
  ? ""
  : ` (skipped: no suite in ${SUITE}; apt-get install libtest-json-schema-acceptance-perl)`;

describe.skipIf(!isHere)(`C3 the official JSON Schema test suite${missing}`, () => {
  let documents: Map<string, unknown>;
  beforeAll(() => {
    documents = readRemotes();
  });

  it.each(Object.entries(DRAFTS))(
    "%s: more than 99 %% of the mandatory cases, all but those listed",
    (draft, $schema) => {
      const { titles, differing } = run(join(SUITE, "tests", draft), $schema, documents);
      const agreeing = titles.length - differing.length;
      const share = ((100 * agreeing) / titles.length).toFixed(2);
      const optional = run(join(SUITE, "tests", draft, "optional"), $schema, documents);
      const formats = run(join(SUITE, "tests", draft, "optional/format"), $schema, documents);
      const of = ({ titles: all, differing: others }: typeof optional): string =>
        `${all.length - others.length} of ${all.length}`;
      process.stdout.write(
        `${draft}: ${agreeing} of ${titles.length} mandatory cases agree (${share} %); ` +
          `optional ${of(optional)}, formats ${of(formats)}\n`,
      );
      expect(differing).toEqual(DISAGREEMENTS[draft] ?? []);
      expect(agreeing / titles.length).toBeGreaterThan(0.99);
    },
  );
});
