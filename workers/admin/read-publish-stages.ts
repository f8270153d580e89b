import type { Context } from "hono";
import type { z } from "zod";
import type { gateInput } from "../../contracts/publish/publish-gate-schemas.ts";
import type { publishRequest } from "../../contracts/publish/publish-schemas.ts";
import type { DeletedConfig } from "../../domain/config/config.ts";
import type { PublishGate } from "../../domain/publish/publish-gate.ts";
import type { PublishStageInput } from "../../domain/publish/publish-plan.ts";
import type { AdminEnv } from "./principal.ts";

/**
 * The stages as the command has them, the secrets of their gates sealed for `config`; `make_default_after_mins` is the bake
 * time of the last.
 */
export async function readStages(
  c: Context<AdminEnv>,
  body: Pick<z.output<typeof publishRequest>, "strategy" | "make_default_after_mins">,
  config: Pick<DeletedConfig, "id" | "namespace">,
): Promise<PublishStageInput[]> {
  const { strategy, make_default_after_mins: after = null } = body;
  if (strategy.type === "all") return [];
  if (strategy.type === "canary") {
    return [{ name: "canary", regions: null, labels: strategy.canary_labels, bake_minutes: after }];
  }
  const last = strategy.stages.length - 1;
  const owner = { tenant: config.namespace.tenant, config_id: config.id };
  const seal = async (gate: z.output<typeof gateInput>): Promise<PublishGate> =>
    gate.type === "webhook"
      ? { ...gate, secret: await c.var.deps.sealGateSecret({ owner, secret: gate.secret }) }
      : gate;
  const stages = strategy.stages.map(
    async ({ name, regions, labels, percentage, bake_minutes, gates = [] }, i) => ({
      name,
      regions: regions ?? null,
      labels: labels ?? null,
      ...(percentage === undefined ? {} : { percentage }),
      bake_minutes: bake_minutes ?? (i === last ? after : null),
      ...(gates.length === 0 ? {} : { gates: await Promise.all(gates.map(seal)) }),
    }),
  );
  return Promise.all(stages);
}
