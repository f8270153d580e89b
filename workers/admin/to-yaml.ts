// The same as cli/to-yaml.ts: the command line and the Workers share contracts alone, which have no package for YAML.
import { Document, Scalar, visit } from "yaml";

/** The value as YAML that means the same when it is read: no line is broken, and nothing is said by an alias. */
export function toYaml(value: object): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value === "string" && isBlankLines(scalar.value)) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document.toString({ lineWidth: 0 });
}

/** A block scalar, which texts of several lines become, would lose the blanks of a text that has nothing else. */
function isBlankLines(text: string): boolean {
  return text.includes("\n") && text.trim() === "";
}
