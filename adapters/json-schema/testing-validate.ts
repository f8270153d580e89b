import type { FieldError } from "../../contracts/problem/error-codes.ts";
import { judgeDocument, type SchemaInput } from "./validate-json-schema.ts";

/** Judges a document in one go; for tests. */
export function validateAtOnce(input: SchemaInput): FieldError[] {
  const judging = judgeDocument(input);
  let step = judging.next();
  while (step.done !== true) step = judging.next();
  return step.value;
}
