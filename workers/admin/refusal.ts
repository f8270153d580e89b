import type { Actor } from "../../domain/command/command.ts";

/** A request that was refused, as the audit tells of it. */
export interface Refusal {
  /** Under whom it belongs if there is such a tenant, else under the system; null for a caller that nobody knows. */
  tenant: string | null;
  actor: Actor;
  ip: string;
  action: string;
  resource: string;
  outcome: "denied" | "failure";
  traceId: string;
  summary: string;
}
