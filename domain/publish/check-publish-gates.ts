import type { FieldError } from "../command/command-error.ts";
import {
  GATE_APPROVERS_MAX,
  GATE_SAMPLE_MAX,
  GATE_SEALED_CHARACTERS_MAX,
  GATE_URL_CHARACTERS_MAX,
  GATES_MAX,
} from "../limits.ts";
import type { PublishGate } from "./publish-gate.ts";

const isWhole = (value: number, max: number): boolean =>
  Number.isInteger(value) && value >= 1 && value <= max;

/** What is wrong with the gates of a stage; `path` leads to them. */
export function checkPublishGates(gates: readonly PublishGate[], path: string): FieldError[] {
  if (gates.length > GATES_MAX) return [{ path, message: `at most ${GATES_MAX} gates` }];
  const errors: FieldError[] = [];
  for (const [i, gate] of gates.entries()) {
    const at = `${path}/${i}`;
    // Two of them would say the same of the same people or clients.
    const isAgain = gates.findIndex(({ type }) => type === gate.type) < i;
    if (isAgain && gate.type !== "webhook")
      errors.push({ path: at, message: `one ${gate.type} gate a stage` });
    errors.push(...checkGate(gate, at));
  }
  return errors;
}

function checkGate(gate: PublishGate, at: string): FieldError[] {
  if (gate.type === "approval") {
    if (isWhole(gate.approvers, GATE_APPROVERS_MAX)) return [];
    return [{ path: `${at}/approvers`, message: `1 to ${GATE_APPROVERS_MAX}` }];
  }
  if (gate.type === "webhook") {
    const { url, secret } = gate;
    const isUrl = /^https?:\/\/\S+$/.test(url) && url.length <= GATE_URL_CHARACTERS_MAX;
    if (!isUrl) {
      const message = `an address of https, of at most ${GATE_URL_CHARACTERS_MAX} characters`;
      return [{ path: `${at}/url`, message }];
    }
    const isSealed = secret !== "" && secret.length <= GATE_SEALED_CHARACTERS_MAX;
    return isSealed ? [] : [{ path: `${at}/secret`, message: "a sealed secret" }];
  }
  const errors: FieldError[] = [];
  if (!(gate.max_error_percent >= 0 && gate.max_error_percent <= 100)) {
    errors.push({ path: `${at}/max_error_percent`, message: "0 to 100" });
  }
  if (!isWhole(gate.sample_min, GATE_SAMPLE_MAX)) {
    errors.push({ path: `${at}/sample_min`, message: `1 to ${GATE_SAMPLE_MAX}` });
  }
  return errors;
}
