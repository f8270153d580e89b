import { gateReason, type PublishGatePort } from "../../contracts/publish/publish-gate-port.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { type DeliveryCounts, judgeDelivery } from "../../domain/publish/judge-delivery.ts";
import type { DeliveryReportsGate } from "../../domain/publish/publish-gate.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";

/** Counts what clients have reported since the plan began. Rejects with a `ConfluxError` when nobody can tell. */
export type ReadDeliveryCounts = (plan: PublishPlan) => Promise<DeliveryCounts>;

/** Judges a version by what its clients report. It waits while the reports cannot be read. */
export function createDeliveryGate(read: ReadDeliveryCounts): PublishGatePort<DeliveryReportsGate> {
  return {
    async check({ plan, gate }) {
      try {
        return judgeDelivery(gate, await read(plan));
      } catch (error) {
        if (!(error instanceof ConfluxError)) throw error;
        return {
          verdict: "waits",
          reason: gateReason(`the reports cannot be read (${error.code}): ${error.message}`),
        };
      }
    },
  };
}
