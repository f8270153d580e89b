import type { PublishGatePorts } from "../../contracts/publish/publish-gate-port.ts";
import { type GateOutcome, openGates, type PublishGate } from "../../domain/publish/publish-gate.ts";
import type { PublishPlan, PublishStage } from "../../domain/publish/publish-plan.ts";

/** What the gates of a plan's stage say now, in their order; all are asked at once. */
export function askPublishGates(
  ports: PublishGatePorts,
  plan: PublishPlan,
  stage: PublishStage,
): Promise<GateOutcome[]> {
  return Promise.all(openGates(stage).map((gate) => ask(ports, plan, stage, gate)));
}

function ask(
  ports: PublishGatePorts,
  plan: PublishPlan,
  stage: PublishStage,
  gate: PublishGate,
): Promise<GateOutcome> {
  switch (gate.type) {
    case "approval":
      return ports.approval.check({ plan, stage, gate });
    case "webhook":
      return ports.webhook.check({ plan, stage, gate });
    default:
      return ports.delivery_reports.check({ plan, stage, gate });
  }
}
