import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Refusal } from "../../domain/command/apply-verb.ts";

/** The answer of a read; a refusal is thrown, as the core's clients do. */
export function orThrow<T extends { ok: true }>(answer: T | Refusal): T {
  if (answer.ok) return answer;
  throw new ConfluxError(answer.code, answer.detail, { errors: answer.errors ?? [] });
}
