import {
  gateReason,
  type GateQuestion,
  type PublishGatePort,
  type PublishGatePorts,
} from "../../contracts/publish/publish-gate-port.ts";
import type { GateOutcome, PublishGate } from "../../domain/publish/publish-gate.ts";

/** Says what a gate says, from the question alone. */
export type SayGate = (question: GateQuestion) => GateOutcome;

/** A gate that says what it is told to say. */
export class MemoryPublishGate<G extends PublishGate = PublishGate> implements PublishGatePort<G> {
  readonly #say: SayGate;

  constructor(say: SayGate) {
    this.#say = say;
  }

  async check(question: GateQuestion<G>): Promise<GateOutcome> {
    const outcome = this.#say(question);
    return outcome.verdict === "holds" ? outcome : { ...outcome, reason: gateReason(outcome.reason) };
  }
}

/** Gates of every kind that say what they are told to. */
export function memoryPublishGates(say: SayGate): PublishGatePorts {
  return {
    webhook: new MemoryPublishGate(say),
    approval: new MemoryPublishGate(say),
    delivery_reports: new MemoryPublishGate(say),
  };
}
