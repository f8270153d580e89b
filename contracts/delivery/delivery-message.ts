import { z } from "zod";
import { parseFullName } from "../../domain/config/config-name.ts";
import { REPORT_STATES } from "../../domain/delivery/delivery-report.ts";

/**
 * What the edge puts into the queue `conflux-delivery` and the admin Worker takes out of it. Messages may come twice and
 * in any order; writing them converges all the same. A new shape is a new `kind`.
 */
const config = z.string().refine((name) => parseFullName(name) !== null, "no name of a config");
const position = z.object({ cluster_id: z.string(), epoch: z.int(), index: z.int() });

const queuedReport = z.object({
  config,
  version: z.int(),
  state: z.enum(REPORT_STATES),
  reason: z.string().nullable(),
  /** The client's clock. */
  at_ms: z.number(),
  /** Where the fetch stood that gave the version; null when its index was none that we signed. */
  position: position.nullable(),
  /**
   * Index (in the cluster and epoch of `position`) of the change that made what the client's region served there; null
   * when it cannot be told, because the config has changed again since.
   */
  change_index: z.int().nullable(),
});
export type QueuedReport = z.infer<typeof queuedReport>;

const reportsMessage = z.object({
  kind: z.literal("reports"),
  /** That of all of its configs. */
  tenant: z.string(),
  /** Where the request arrived. */
  region: z.string(),
  client_id: z.string(),
  /** The edge's clock. */
  received_at_ms: z.number(),
  /** Of each config the newest, and the newest applied one where that is another. */
  reports: z.array(queuedReport),
});
export type ReportsMessage = z.infer<typeof reportsMessage>;

const fetchesMessage = z.object({
  kind: z.literal("fetches"),
  region: z.string(),
  /** Configs that were served, of any tenant, and when last. */
  fetched: z.array(z.tuple([config, z.number()])),
});
export type FetchesMessage = z.infer<typeof fetchesMessage>;

export const deliveryMessageSchema = z.discriminatedUnion("kind", [reportsMessage, fetchesMessage]);
export type DeliveryMessage = z.infer<typeof deliveryMessageSchema>;

/** Characters of names in one message of fetches; Queues take 128 KB. */
export const FETCHES_CHARACTERS_MAX = 96 * 1024;
